/** What the server answers, in the words of `jupyter_hybrid/server/openapi.yaml`. */
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { PartialJSONObject, PartialJSONValue } from '@lumino/coreutils';

export type State =
  | 'CREATED'
  | 'PENDING'
  | 'RUNNING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED'
  | 'LOST';

/** States in which a job can still do something. */
export const UNFINISHED: readonly State[] = ['CREATED', 'PENDING', 'RUNNING'];

export interface IAbout {
  version: string;
  contents: { files: boolean };
  events: { job: string; progress: string; target: string };
}

export interface ITarget {
  name: string;
  executor: string;
  default: boolean;
  price: number | null;
  /** Why it has not answered for a while; null where it has. */
  trouble: string | null;
}

/** What somebody asks for; sizes and durations may be in words (`8G`, `2h`). */
export interface IWishes {
  gpus?: number | null;
  gpu_type?: string | null;
  cpus?: number | null;
  mem?: number | string | null;
  nodes?: number | null;
  ntasks_per_node?: number | null;
  time?: number | string | null;
}

export interface IOffer {
  target: string;
  hardware: string;
  cpus: number | null;
  mem: number | null;
  gpus: number;
  gpu_type: string | null;
  /** Null where the place cannot tell. */
  free_now: boolean | null;
  /** Seconds until it would start; null where the place cannot tell. */
  wait: number | null;
  /** Per hour. */
  price: number | null;
  note: string;
}

export interface IOffers {
  offers: IOffer[];
  problems: { target: string; message: string }[];
}

/** A notebook: as saved, or with `content` as it is on screen (outputs left out). */
export interface INotebookReference {
  path: string;
  content?: INotebookContent;
}

export interface IParameter {
  name: string;
  /** As annotated or inferred: int, float, str, bool, list, dict, … */
  type: string | null;
  /** As it is written in the notebook; empty where it has none. */
  default: string;
  /** The default where it is a literal; else null. */
  value: PartialJSONValue;
  /** Python types that are taken; null: any. */
  accepts: string[] | null;
  help: string;
}

export interface IInspection {
  path: string;
  name: string;
  source: 'screen' | 'disk';
  unsaved: boolean;
  kernel: string | null;
  language: string;
  /** Null where nobody can tell; `note` says why. */
  parameters: IParameter[] | null;
  note: string;
}

export interface ISubmission extends INotebookReference {
  target?: string | null;
  name?: string | null;
  parameters?: PartialJSONObject;
  /** Values as somebody types them: `3`, `0.1`, `true`, `[1, 2]`, anything else is text. */
  parameter_texts?: Record<string, string>;
  unchecked?: boolean;
  resources?: IWishes;
  image?: string | null;
  kernel?: string | null;
  env?: Record<string, string>;
  /** The same as somebody types them: `NAME=value`, one a line. */
  env_text?: string;
  files?: string[];
  exclude?: string[];
}

export type Field =
  | 'notebook'
  | 'target'
  | 'parameters'
  | 'resources'
  | 'image'
  | 'kernel'
  | 'files'
  | '';

export interface IFieldProblem {
  field: Field;
  message: string;
}

export interface ITravelling {
  target: string;
  /** The 1000 largest, if there are more. */
  files: { path: string; size: number; why: string; new: number }[];
  more: number;
  count: number;
  links: string[];
  directories: string[];
  size: number;
  /** Bytes that the target does not have yet. */
  new: number;
  notes: string[];
  refused: { path: string; reason: string }[];
}

/** What the notebook needs of other people's packages against what the job's image has. */
export interface IEnvironment {
  image: string;
  /** False where nobody has looked into the image yet; then `rows` are the needs alone. */
  known: boolean;
  rows: IPackage[];
  notes: string[];
  /** Versions of what would be added, with all that it needs; empty unless resolved. */
  added: Record<string, string>;
}

export interface IPackage {
  /** What becomes of it; empty where the image is not known. */
  kind: 'keep' | 'layer' | 'conflict' | 'missing' | '';
  name: string;
  /** What is asked for or installed here. */
  here: string;
  /** What the image has. */
  image: string;
  /** What a user should know; empty where it goes without saying. */
  sentence: string;
}

/** How long a notebook ran at a target: the median of so many jobs. */
export interface IExpected {
  target: string;
  seconds: number;
  jobs: number;
}

export interface IPreview {
  problems: IFieldProblem[];
  preview: ITravelling | null;
}

export interface IResources {
  gpus: number;
  gpu_type: string | null;
  cpus: number | null;
  mem: number | null;
  nodes: number;
  ntasks_per_node: number;
  time: number | null;
}

export interface IExit {
  state: string;
  /** cell-error, kernel-died, out-of-memory, wall-time, … */
  cause: string | null;
  message: string;
  cell_id: string | null;
  ename: string | null;
  evalue: string | null;
  /** With ANSI colours. */
  traceback: string[];
  peak_memory?: number | null;
}

export interface IFetched {
  notebook: string | null;
  files: string[];
  /** Files that were changed here meanwhile: the one that was kept, and the job's beside it. */
  conflicts: [string, string][];
  unchanged: number;
  deleted: string[];
  /** What could not be brought, each with the reason. */
  left: string[];
  /** Contents path of the executed notebook. */
  path?: string | null;
  /** Contents paths of the files. */
  paths?: string[];
  /** How many of each are not listed: all of them in a list of jobs. */
  more: { files: number; conflicts: number; deleted: number; left: number };
}

export interface IJob {
  id: string;
  name: string;
  kind: 'cell' | 'notebook';
  target: string;
  state: State;
  /** The state somebody asked for where it is not reached yet. */
  wanted: State | null;
  /** It has ended. */
  final: boolean;
  /** Why it waits, or what happened, in plain words. */
  reason: string;
  notes: string[];
  /** The notebook's contents path; null where it is not below the server's root. */
  path: string | null;
  notebook: string | null;
  /** Id, in the notebook, of the `%%remote` cell that this is. */
  cell: string | null;
  parameters: PartialJSONObject;
  kernel: string | null;
  image: string | null;
  resources: IResources;
  directory: string;
  cells: { done: number; total: number | null; current: string };
  /** Seconds since the epoch, as all times. */
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  /** How long it ran; null while it runs. */
  seconds: number | null;
  /** So far; null where no price is configured. */
  cost: number | null;
  exit: IExit | null;
  /** In a list of jobs without what it lists itself: `more` is how much that is. */
  fetched: IFetched | null;
  /** The key of the submit that made it; null where that had none. */
  submit_key: string | null;
  /** Grows with every change. */
  revision: number;
}

/** The same submit in other words, to be copied. */
export interface ICommands {
  cli: string | null;
  magic: string | null;
  python: string | null;
}

export interface IJobDetail extends IJob {
  commands: ICommands;
  /** Variables of the environment that it was given. */
  env: Record<string, string>;
}

export interface IJobPage {
  jobs: IJob[];
  /** To be given as `before`; null where this is the last page. */
  next: string | null;
  /** By state, under the other filters than `state`; states without a job are left out. */
  counts: Partial<Record<State, number>>;
}

export interface IJobFilter {
  states?: readonly State[];
  target?: string;
  /** In the name, upper or lower case. */
  text?: string;
  /** Contents path of a notebook. */
  path?: string;
}

/** What shall be different when a job is submitted once more. */
export interface IRerun {
  name?: string;
  target?: string;
  parameters?: PartialJSONObject;
  parameter_texts?: Record<string, string>;
  resources?: IWishes;
  unchecked?: boolean;
  /** Null: the target's own. */
  image?: string | null;
  kernel?: string | null;
  /** These instead of the job's, `NAME=value`, one a line. */
  env_text?: string;
  /** Files of then that stay here this time. */
  exclude?: string[];
}

/** One thing that happened; its other keys depend on the kind (openapi.yaml, `Event`). */
export interface IJobEvent extends PartialJSONObject {
  seq: number;
  time: number;
  kind: string;
}

export interface IEventPage {
  events: IJobEvent[];
  /** The number to go on from. */
  last: number;
  more: boolean;
  ended: boolean;
}

/** Which part of a log: what is behind an offset, or so many bytes of its end or `before` there. */
export type ILogPart = { offset: number } | { tail: number; before?: number };

export interface ILogPage {
  text: string;
  /** Where the text begins, to be given as `before`; 0 where nothing stands before it. */
  first: number;
  next: number;
  more: boolean;
  ended: boolean;
}

export interface IResults {
  files: { path: string; size: number; change: 'new' | 'changed' }[];
  deleted: string[];
}

export interface IFetchWishes {
  notebook?: boolean;
  files?: boolean;
  output?: string;
  into?: string;
}

/** A job's notebook with the outputs so far. */
export interface IOutputNotebook {
  content: INotebookContent;
  /** The number of the last event in it; events behind it go on live. */
  last: number;
}
