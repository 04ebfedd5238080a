/** What is submitted: a notebook as it is on screen, or what a job executed once more. */
import type { INotebookContent } from '@jupyterlab/nbformat';

import type {
  IEnvironment,
  IInspection,
  IJob,
  IJobDetail,
  IParameter,
  IPreview,
  ISubmission
} from '../records';
import type { IJobsManager } from '../tokens';
import { EMPTY, type IDraft, fromJob, rerun, submission } from './draft';
import { parametersOf } from './parameters';

export interface ISubject {
  /** Tells it from others of the same server. */
  readonly key: string;
  /** What people call it. */
  readonly title: string;
  /** Contents path of the notebook; null where it is not below the server's root. */
  readonly path: string | null;
  /** The job that is submitted once more; null for a notebook. */
  readonly job: IJobDetail | null;
  /** Before anybody chose anything. */
  readonly draft: IDraft;
  /** Those that are known without asking; null for none. */
  readonly parameters: readonly IParameter[] | null;
  /** The same as it is at this moment, whatever is edited later. */
  now(): ISubject;
  inspect(): Promise<IInspection>;
  environment(
    draft: IDraft,
    resolve: boolean,
    signal: AbortSignal
  ): Promise<IEnvironment | null>;
  /** What would travel, and what would be refused. */
  preview(
    draft: IDraft,
    parameters: readonly IParameter[],
    signal: AbortSignal
  ): Promise<IPreview>;
  /** The same `key` again gives the same job. */
  submit(
    draft: IDraft,
    parameters: readonly IParameter[],
    key: string
  ): Promise<IJob>;
}

export class NotebookSubject implements ISubject {
  constructor(
    private readonly _manager: IJobsManager,
    readonly path: string,
    /** As it is on screen at that moment; null to send what is saved. */
    private readonly _screen: () => INotebookContent | null
  ) {}

  readonly job = null;
  readonly draft = EMPTY;
  readonly parameters = null;

  get key(): string {
    return this.path;
  }
  get title(): string {
    return this.path.split('/').at(-1) ?? this.path;
  }

  now(): ISubject {
    const content = this._screen();
    return new NotebookSubject(this._manager, this.path, () => content);
  }

  inspect(): Promise<IInspection> {
    return this._manager.api.inspect(this._shown({ path: this.path }));
  }

  environment(
    { target, image, kernel }: IDraft,
    resolve: boolean,
    signal: AbortSignal
  ): Promise<IEnvironment | null> {
    const body = this._submission({ ...EMPTY, target, image, kernel }, []);
    return this._manager.api.environment(body, resolve, signal);
  }

  preview(
    draft: IDraft,
    parameters: readonly IParameter[],
    signal: AbortSignal
  ): Promise<IPreview> {
    const body = this._submission(draft, parameters);
    return this._manager.api.preview(body, signal);
  }

  submit(
    draft: IDraft,
    parameters: readonly IParameter[],
    key: string
  ): Promise<IJob> {
    return this._manager.submit(this._submission(draft, parameters), key);
  }

  private _submission(
    draft: IDraft,
    parameters: readonly IParameter[]
  ): ISubmission {
    return this._shown(submission(this.path, draft, parameters));
  }

  private _shown<T extends object>(
    body: T
  ): T & { content?: INotebookContent } {
    const content = this._screen();
    return content ? { ...body, content } : body;
  }
}

export class JobSubject implements ISubject {
  constructor(
    private readonly _manager: IJobsManager,
    readonly job: IJobDetail
  ) {
    this.draft = fromJob(job);
    this.parameters = parametersOf(job);
  }

  readonly draft: IDraft;
  readonly parameters: readonly IParameter[];

  get key(): string {
    return this.job.id;
  }
  get title(): string {
    return this.job.name;
  }
  get path(): string | null {
    return this.job.path;
  }

  now(): ISubject {
    return this;
  }

  inspect(): Promise<IInspection> {
    return this._manager.api.inspectJob(this.job.id);
  }

  environment(
    { target, image }: IDraft,
    resolve: boolean,
    signal: AbortSignal
  ): Promise<IEnvironment | null> {
    // a blank is the target's own: what is empty is left out of a query
    const wishes = { target, image: image.trim() || ' ', resolve };
    return this._manager.api.environmentOf(this.job.id, wishes, signal);
  }

  preview(
    draft: IDraft,
    parameters: readonly IParameter[],
    signal: AbortSignal
  ): Promise<IPreview> {
    const changes = rerun(this.job, draft, parameters);
    return this._manager.api.previewRerun(this.job.id, changes, signal);
  }

  submit(
    draft: IDraft,
    parameters: readonly IParameter[],
    key: string
  ): Promise<IJob> {
    const changes = rerun(this.job, draft, parameters);
    return this._manager.rerun(this.job.id, changes, key);
  }
}
