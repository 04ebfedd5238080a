/** The dialog without its looks: choices, what targets and the server say of them, the submit. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type {
  Field,
  IFieldProblem,
  IInspection,
  IJob,
  IJobDetail,
  IParameter,
  ITravelling
} from '../records';
import { asError, isAborted, newKey } from '../request';
import type { Connection, IJobsManager, ISending } from '../tokens';
import { type IDraft, wishes, without } from './draft';
import { Files, type IFile } from './files';
import { keepChoices, readChoices } from './lasttime';
import { Lookups } from './lookups';
import { Offers } from './offers';
import { misreadings, problemOf } from './problems';
import { type Tell, send } from './sending';
import type { ISubject } from './subject';

/** Milliseconds of quiet after which targets, and the server, are asked about what was typed. */
const ASK_AFTER = 250;

/** Choices that change what targets can give. */
const HARDWARE: readonly (keyof IDraft)[] = [
  'gpus',
  'gpuType',
  'cpus',
  'mem',
  'nodes',
  'tasks',
  'time'
];

export interface ISubmitOptions {
  manager: IJobsManager;
  trans: TranslationBundle;
  subject: ISubject;
  /** What was chosen in a dialog that was closed. */
  draft?: IDraft | undefined;
}

export class SubmitModel implements IDisposable {
  constructor(private readonly _options: ISubmitOptions) {
    const { manager, draft, subject } = _options;
    this.restored = draft !== undefined;
    this._draft = draft ?? subject.draft;
    this._parameters = subject.parameters;
    this.offers = new Offers(manager.api);
    this.offers.changed.connect(this._answered);
    this.lookups = new Lookups(manager.api);
    this.lookups.changed.connect(() => this._changed.emit());
    manager.connectionChanged.connect(this._connected);
  }

  readonly offers: Offers;
  readonly lookups: Lookups;
  /** True where the choices are those of a dialog that was closed. */
  restored: boolean;

  get trans(): TranslationBundle {
    return this._options.trans;
  }
  get subject(): ISubject {
    return this._options.subject;
  }
  /** The job that is submitted once more; null for a notebook. */
  get job(): IJobDetail | null {
    return this.subject.job;
  }
  /** True where it is not known that nobody would hear a submit. */
  get connected(): boolean {
    return this._options.manager.connection !== 'offline';
  }
  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }
  get draft(): IDraft {
    return this._draft;
  }
  /** True where somebody chose something in this dialog. */
  get touched(): boolean {
    return this.restored || this._touched.size > 0;
  }
  /** Null until it is known. */
  get inspection(): IInspection | null {
    return this._inspection;
  }
  /** Those of the notebook; null where nobody can tell, or not yet. */
  get parameters(): readonly IParameter[] | null {
    return this._parameters;
  }
  /** What would travel; null until it is known. */
  get travelling(): ITravelling | null {
    return this._travelling;
  }
  /** True while what would travel is being asked about. */
  get checking(): boolean {
    return this._checking;
  }
  get submitting(): boolean {
    return this._submitting;
  }
  /** Why there are no targets; empty where there are, or where that is not known yet. */
  get targetsProblem(): string {
    return this._targetsProblem;
  }
  /** What would refuse the submit, or has refused it. */
  get problems(): readonly IFieldProblem[] {
    const misread = misreadings(this._draft, this.trans);
    const all = [...misread, ...this._refused, ...this._problems];
    // the same may be said twice: before, and by what refused it
    const said = all.map(({ message }) => message);
    return all.filter(({ message }, at) => said.indexOf(message) === at);
  }

  problemsOf(...fields: Field[]): readonly IFieldProblem[] {
    return this.problems.filter(({ field }) => fields.includes(field));
  }

  /** Ask for all that is not known yet; what is there is shown before. */
  start(): void {
    const { path } = this.subject;
    if (path !== null) {
      void this.lookups.askDurations(path);
    }
    // none of them rejects: what went wrong is among the problems
    this._read = Promise.all([
      this._readTargets(),
      this._inspect(),
      this._readChoices()
    ]);
  }

  set(chosen: Partial<IDraft>): void {
    // a kind that is typed is another than that of the row
    const choices = 'gpuType' in chosen ? { offered: '', ...chosen } : chosen;
    const names = Object.keys(choices) as (keyof IDraft)[];
    names.forEach(name => this._touched.add(name));
    this._apply(choices);
  }

  setParameter(name: string, text: string): void {
    this.set({ parameters: { ...this._draft.parameters, [name]: text } });
  }

  /** Those that would travel, and those that were chosen to stay here. */
  get files(): readonly IFile[] {
    return this._files.list(this._draft.exclude);
  }

  /** Let a file stay here, or travel. */
  setExcluded(path: string, excluded: boolean): void {
    const others = this._draft.exclude.filter(other => other !== path);
    this.set({ exclude: excluded ? [...others, path] : others });
  }

  /** Forget what was chosen. */
  startOver(): void {
    const target = this._draft.target;
    this.restored = false;
    this._touched.clear();
    const { draft } = this.subject;
    this._apply({ ...draft, target: draft.target || target });
    this._preferred = false;
    this._read = this._readChoices();
  }

  /** Start the job; null where something refuses it, which is among the problems then. */
  async submit(): Promise<IJob | null> {
    if (this._submitting) {
      return null;
    }
    this._submitting = true;
    this._refused = this._problems = [];
    this._changed.emit();
    try {
      return await this.send(trouble => {
        this._refused = [{ field: '', message: trouble }];
        this._changed.emit();
      });
    } catch (error) {
      this.refuse(asError(error));
      return null;
    } finally {
      this._submitting = false;
      this._changed.emit();
    }
  }

  /** What is sent, for people. */
  get sending(): ISending {
    const { name, target } = this._draft;
    const usual = this._inspection?.name ?? this.subject.title;
    return { name: name.trim() || usual, target };
  }

  /** Start the job, whoever sees to how that ends; `tell` hears why it takes longer. */
  async send(tell: Tell): Promise<IJob> {
    const { manager, trans } = this._options;
    const subject = this.subject.now();
    // who is quicker than the answers means the choices that they would have shown
    await this._read;
    const { _draft: draft, _key: key } = this;
    const misread = misreadings(draft, trans).at(0);
    if (misread) {
      throw new Error(misread.message);
    }
    const parameters = this._parameters ?? [];
    const job = await send(manager, trans, {
      request: () => subject.submit(draft, parameters, key),
      key,
      tell,
      wanted: () => !this._isDisposed
    });
    if (!this.job) {
      void keepChoices(manager.api, subject.path, draft, parameters);
    }
    return job;
  }

  /** The last attempt came to nothing. */
  refuse(error: Error): void {
    this._refused = [problemOf(error, this.trans)];
    this._changed.emit();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._options.manager.connectionChanged.disconnect(this._connected);
    clearTimeout(this._asking);
    clearTimeout(this._previewing);
    this._preview?.abort();
    this.offers.dispose();
    this.lookups.dispose();
    Signal.clearData(this);
  }

  private _apply(choices: Partial<IDraft>): void {
    this._draft = { ...this._draft, ...choices };
    if (this._withdrawn) {
      // the table shows another row as chosen
      this._draft = { ...this._draft, offered: '' };
    }
    this._refused = [];
    this._key = newKey();
    if (HARDWARE.some(name => name in choices)) {
      clearTimeout(this._asking);
      this._asking = setTimeout(() => void this._readTargets(), ASK_AFTER);
    }
    this._previewLater(ASK_AFTER);
    this._changed.emit();
  }

  /** The kind of GPU that was chosen is offered no more. */
  private get _withdrawn(): boolean {
    const { target, offered } = this._draft;
    return offered !== '' && !this.offers.may(target, offered);
  }

  private async _readTargets(): Promise<void> {
    try {
      const targets = await this._options.manager.targets();
      if (this._isDisposed) {
        return;
      }
      this._targetsProblem = '';
      if (!targets.some(({ name }) => name === this._draft.target)) {
        this._draft = { ...this._draft, target: targets[0]?.name ?? '' };
      }
      this.offers.ask(targets, wishes(this._draft));
    } catch (error) {
      this._targetsProblem = asError(error).message;
      this._changed.emit();
    }
  }

  private async _inspect(): Promise<void> {
    try {
      this._inspection = await this.subject.inspect();
      this._parameters = this._inspection.parameters;
    } catch (error) {
      const { message } = problemOf(error, this.trans);
      this._problems = [{ field: 'notebook', message }];
    }
    this._changed.emit();
    this._previewLater(0);
  }

  private async _readChoices(): Promise<void> {
    // a job that runs again begins with what it was asked for
    if (this.job || this._preferred) {
      return;
    }
    try {
      const last = await readChoices(this._options.manager, this.subject.path);
      this._preferred = true;
      // what was typed until this moment stays
      const choices = without(last, this._touched);
      if (!this.restored && Object.keys(choices).length > 0) {
        this._apply(choices);
      }
    } catch {
      // without the last choices, the defaults are good enough
    }
  }

  private _previewLater(milliseconds: number): void {
    const early = !this._inspection && this._problems.length === 0;
    if (this._isDisposed || early) {
      return;
    }
    clearTimeout(this._previewing);
    this._checking = true;
    this._previewing = setTimeout(() => void this._check(), milliseconds);
  }

  private async _check(): Promise<void> {
    this._preview?.abort();
    const request = (this._preview = new AbortController());
    const { subject, draft } = this;
    void this.lookups.compare(draft, (resolve, signal) =>
      subject.environment(draft, resolve, signal)
    );
    try {
      const { signal } = request;
      const said = await subject.preview(draft, this._parameters ?? [], signal);
      if (request !== this._preview) {
        return;
      }
      this._problems = said.problems;
      this._travelling = said.preview ?? this._travelling;
      if (said.preview) {
        this._files.take(said.preview.files, draft.exclude);
      }
    } catch (error) {
      if (isAborted(error) || request !== this._preview) {
        return;
      }
      this._problems = [problemOf(error, this.trans)];
    }
    this._checking = false;
    this._changed.emit();
  }

  private readonly _answered = (): void => {
    if (this._withdrawn) {
      this._apply({ offered: '' });
    } else {
      this._changed.emit();
    }
  };

  /** What could not be asked before is asked now. */
  private readonly _connected = (_: unknown, now: Connection): void => {
    if (now === 'online') {
      this.start();
    }
  };

  private _draft: IDraft;
  private readonly _touched = new Set<keyof IDraft>();
  private readonly _changed = new Signal<this, void>(this);
  private _inspection: IInspection | null = null;
  private _parameters: readonly IParameter[] | null;
  private _travelling: ITravelling | null = null;
  /** What refused the last submit, until something is changed. */
  private _refused: readonly IFieldProblem[] = [];
  private _problems: readonly IFieldProblem[] = [];
  private readonly _files = new Files();
  private _targetsProblem = '';
  /** Targets, parameters and the choices of last time. */
  private _read: Promise<unknown> = Promise.resolve();
  /** The choices of last time are known. */
  private _preferred = false;
  private _checking = false;
  private _submitting = false;
  private _isDisposed = false;
  private _key = newKey();
  private _preview: AbortController | null = null;
  private _asking: ReturnType<typeof setTimeout> | undefined;
  private _previewing: ReturnType<typeof setTimeout> | undefined;
}
