/** What somebody chose for a notebook, before it is a submit. Pure. */
import type {
  IJobDetail,
  IParameter,
  IRerun,
  ISubmission,
  IWishes
} from '../records';
import type { Json } from '../tokens';
import { values } from './parameters';

/** All as typed; an empty text is no choice. */
export interface IDraft {
  target: string;
  gpus: string;
  gpuType: string;
  /** The kind of GPU in the row that was chosen, where a target gives several. */
  offered: string;
  cpus: string;
  mem: string;
  nodes: string;
  tasks: string;
  time: string;
  name: string;
  image: string;
  kernel: string;
  /** Variables of the environment, one a line. */
  env: string;
  /** Globs of files to send besides, separated by blanks. */
  files: string;
  /** Paths that shall stay here. */
  exclude: readonly string[];
  /** Take values of other types than the notebook's. */
  unchecked: boolean;
  /** By parameter. */
  parameters: Readonly<Record<string, string>>;
}

export const EMPTY: IDraft = {
  target: '',
  gpus: '',
  gpuType: '',
  offered: '',
  cpus: '',
  mem: '',
  nodes: '',
  tasks: '',
  time: '',
  name: '',
  image: '',
  kernel: '',
  env: '',
  files: '',
  exclude: [],
  unchecked: false,
  parameters: {}
};

/** Choices that are whole numbers. */
const COUNTS = ['gpus', 'cpus', 'nodes', 'tasks'] as const;
export type Count = (typeof COUNTS)[number];

/** Those of them that are typed and are none. */
export function misread(draft: IDraft): Count[] {
  return COUNTS.filter(
    count => draft[count].trim() !== '' && whole(draft[count]) === null
  );
}

/** The hardware and the time that are asked for. */
export function wishes(draft: IDraft): IWishes {
  const asked: IWishes = {};
  for (const count of COUNTS) {
    const number = whole(draft[count]);
    if (number !== null) {
      asked[count === 'tasks' ? 'ntasks_per_node' : count] = number;
    }
  }
  for (const [key, text] of [
    ['gpu_type', draft.gpuType],
    ['mem', draft.mem],
    ['time', draft.time]
  ] as const) {
    if (text.trim() !== '') {
      asked[key] = text.trim();
    }
  }
  return asked;
}

/** What the job shall get: what is asked for, of the kind in the row that was chosen. */
function resources(draft: IDraft): IWishes {
  const asked = wishes(draft);
  if (asked.gpus && draft.offered !== '') {
    asked.gpu_type = draft.offered;
  }
  return asked;
}

/** The submit, but for the notebook's content. `parameters` are those that it has. */
export function submission(
  path: string,
  draft: IDraft,
  parameters: readonly IParameter[]
): ISubmission {
  const files = draft.files.split(/\s+/).filter(glob => glob !== '');
  return {
    path,
    target: draft.target || null,
    name: draft.name.trim() || null,
    image: draft.image.trim() || null,
    resources: resources(draft),
    ...values(parameters, draft.parameters),
    ...(draft.kernel.trim() === '' ? {} : { kernel: draft.kernel.trim() }),
    ...(draft.env.trim() === '' ? {} : { env_text: draft.env }),
    ...(draft.unchecked ? { unchecked: true } : {}),
    ...(files.length > 0 ? { files } : {}),
    ...(draft.exclude.length > 0 ? { exclude: [...draft.exclude] } : {})
  };
}

/** What is kept for the next time. The name is that of one job. */
export function toPreferences(draft: IDraft): Json {
  return { version: 1, ...draft, name: '', exclude: [...draft.exclude] };
}

/** The choices of last time; what was kept by another version in another form is passed over. */
export function fromPreferences(kept: Json | null): Partial<IDraft> {
  const draft: Partial<IDraft> = {};
  for (const key of Object.keys(EMPTY) as (keyof IDraft)[]) {
    const value = kept?.[key];
    if (key === 'exclude') {
      if (Array.isArray(value) && value.every(isText)) {
        draft.exclude = value;
      }
    } else if (key === 'parameters') {
      if (typeof value === 'object' && value !== null) {
        const texts = Object.entries(value).filter(([, text]) => isText(text));
        draft.parameters = Object.fromEntries(texts) as Record<string, string>;
      }
    } else if (key === 'unchecked') {
      if (typeof value === 'boolean') {
        draft.unchecked = value;
      }
    } else if (isText(value)) {
      draft[key] = value;
    }
  }
  return draft;
}

/** The choices but for those of these names. */
export function without(
  choices: Partial<IDraft>,
  names: ReadonlySet<string>
): Partial<IDraft> {
  const others = Object.entries(choices).filter(([name]) => !names.has(name));
  return Object.fromEntries(others);
}

/** What a job was asked for. */
export function fromJob(job: IJobDetail): IDraft {
  const { resources } = job;
  const text = (value: number | string | null): string =>
    value === null ? '' : String(value);
  return {
    ...EMPTY,
    target: job.target,
    name: job.name,
    gpus: resources.gpus > 0 ? String(resources.gpus) : '',
    gpuType: text(resources.gpu_type),
    cpus: text(resources.cpus),
    mem: text(resources.mem),
    nodes: resources.nodes > 1 ? String(resources.nodes) : '',
    tasks:
      resources.ntasks_per_node > 1 ? String(resources.ntasks_per_node) : '',
    time: text(resources.time),
    image: text(job.image),
    kernel: text(job.kernel),
    env: variablesOf(job)
  };
}

/** What is different from the job's own choices. */
export function rerun(
  job: IJobDetail,
  draft: IDraft,
  parameters: readonly IParameter[]
): IRerun {
  const changes: IRerun = {
    ...(draft.unchecked ? { unchecked: true } : {}),
    resources: resources(draft),
    ...values(parameters, draft.parameters)
  };
  if (draft.target !== '' && draft.target !== job.target) {
    changes.target = draft.target;
  }
  if (draft.name.trim() !== '' && draft.name !== job.name) {
    changes.name = draft.name.trim();
  }
  const [image, kernel] = [draft.image.trim(), draft.kernel.trim()];
  if (image !== (job.image ?? '')) {
    changes.image = image || null;
  }
  if (kernel !== (job.kernel ?? '')) {
    changes.kernel = kernel || null;
  }
  if (draft.env !== variablesOf(job)) {
    changes.env_text = draft.env;
  }
  if (draft.exclude.length > 0) {
    changes.exclude = [...draft.exclude];
  }
  return changes;
}

/** A job's variables as somebody types them. */
function variablesOf({ env }: IJobDetail): string {
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** A whole number as typed, also in an input method's wide digits; null for anything else. */
function whole(text: string): number | null {
  const typed = text.normalize('NFKC').trim();
  return /^\d+$/.test(typed) ? Number(typed) : null;
}
