/** A job's notebook, read-only, with its outputs while they come. */
import type { Cell, ICodeCellModel } from '@jupyterlab/cells';
import type { IEditorMimeTypeService } from '@jupyterlab/codeeditor';
import type {
  ICell,
  IKernelspecMetadata,
  INotebookContent
} from '@jupyterlab/nbformat';
import { NotebookModel, StaticNotebook } from '@jupyterlab/notebook';
import {
  type IRenderMimeRegistry,
  RenderMimeRegistry
} from '@jupyterlab/rendermime';
import type { Contents } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

import { DOMAIN } from '../ids';
import type { IJob } from '../records';
import { asError } from '../request';
import type {
  Connection,
  IJobChange,
  IJobEvents,
  IJobsManager
} from '../tokens';
import { CellOutputs, pause, slices } from './cells';
import { teller } from './leftout';
import { JobOutputs } from './outputs';
import { MOST } from './shortening';

/** What it takes to draw a notebook. */
export interface INotebookDrawing {
  rendermime: IRenderMimeRegistry;
  /** Where the files are that a notebook's text names. */
  contents: Contents.IManager;
  contentFactory: StaticNotebook.IContentFactory;
  mimeTypeService: IEditorMimeTypeService;
  translator: ITranslator;
}

const RUNNING = 'jp-hybrid-mod-running';
/** All that a cell shows here is there: of what is too much, the end as well. */
const WHOLE = {
  windowingMode: 'defer',
  scrollPastEnd: false,
  maxNumberOutputs: 1000
} as const;
/** Tags of papermill's cells and of those that it goes behind. */
const PARAMETERS = 'parameters';
const INJECTED = 'injected-parameters';
const ERROR = 'papermill-error-cell-tag';

export class OutputNotebook extends Panel {
  constructor(
    private readonly _manager: IJobsManager,
    private readonly _id: string,
    private readonly _drawing: INotebookDrawing
  ) {
    super();
    this.addClass('jp-hybrid-Outputs');
    this._message.addClass('jp-hybrid-Outputs-message');
    this._message.node.setAttribute('role', 'status');
    this.addWidget(this._message);
    _manager.jobChanged.connect(this._onJobChanged);
    _manager.connectionChanged.connect(this._onConnectionChanged);
    void this._load();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._manager.jobChanged.disconnect(this._onJobChanged);
    this._manager.connectionChanged.disconnect(this._onConnectionChanged);
    this._events?.dispose();
    this._outputs?.dispose();
    super.dispose();
    this._model?.dispose();
  }

  private readonly _onJobChanged = (
    _: IJobsManager,
    { id, job }: IJobChange
  ): void => {
    if (id === this._id && job !== null && this._model === null) {
      void this._load();
    }
  };

  private readonly _onConnectionChanged = (
    _: IJobsManager,
    now: Connection
  ): void => {
    if (now === 'online' && this._model === null) {
      void this._load();
    }
  };

  private async _load(): Promise<void> {
    if (this._loading) {
      return;
    }
    this._loading = true;
    try {
      const job = await this._manager.job(this._id);
      // what a running job has shown comes with its events
      const { content } = await this._manager.api.notebook(
        this._id,
        job.final ? MOST : 0
      );
      if (!this.isDisposed) {
        await this._show(job, content);
      }
    } catch (error) {
      // where the place has not got it yet, the job's next change tries again
      this._message.node.textContent = asError(error).message;
      this._message.show();
    } finally {
      this._loading = false;
    }
  }

  private async _show(job: IJob, content: INotebookContent): Promise<void> {
    this._message.hide();
    const model = new NotebookModel({ translator: this._drawing.translator });
    const whole = prepared(content, job.final);
    const [first = [], ...others] = slices(whole.cells);
    model.fromJSON({ ...whole, cells: first });
    model.readOnly = true;
    this._model = model;
    this._notebook = drawn(this._drawing, job.path ?? '');
    this._notebook.model = model;
    this.addWidget(this._notebook);
    for (const cells of others) {
      await pause();
      if (this.isDisposed) {
        return;
      }
      const { sharedModel } = model;
      sharedModel.insertCells(sharedModel.cells.length, cells);
    }
    if (!job.final) {
      this._follow(model);
    }
  }

  private _follow(model: NotebookModel): void {
    const { translator } = this._drawing;
    const outputs = new JobOutputs({
      leftOut: teller(translator.load(DOMAIN), this._id),
      status: cells => this._status(outputs, cells),
      inject: (cell, source) => {
        if (inject(model, cell, source)) {
          attach(outputs, model);
        }
      }
    });
    attach(outputs, model);
    this._outputs = outputs;
    this._events = this._manager.events(this._id, 0, MOST);
    this._events.arrived.connect((_, events) => outputs.take(events));
    this._events.changed.connect(sender => {
      if (sender.ended) {
        // a job whose machine died says of no cell that it has ended
        this._notebook?.widgets.forEach(rest);
      }
    });
  }

  private _status(
    outputs: JobOutputs,
    changed: ReadonlySet<string> | null
  ): void {
    for (const cell of this._notebook?.widgets ?? []) {
      if (changed !== null && !changed.has(cell.model.id)) {
        continue;
      }
      const state = outputs.state(cell.model.id);
      const runs = state?.status === 'running';
      cell.toggleClass(RUNNING, runs);
      if (cell.model.type === 'code') {
        const model = cell.model as ICodeCellModel;
        model.executionCount = state?.count ?? null;
        model.executionState = runs ? 'running' : 'idle';
      }
    }
  }

  private readonly _message = new Widget();
  private _loading = false;
  private _model: NotebookModel | null = null;
  private _notebook: StaticNotebook | null = null;
  private _events: IJobEvents | null = null;
  private _outputs: JobOutputs | null = null;
}

/** The cell runs no more. */
function rest(cell: Cell): void {
  cell.removeClass(RUNNING);
  if (cell.model.type === 'code') {
    (cell.model as ICodeCellModel).executionState = 'idle';
  }
}

/** What the notebook's text names is found from where the notebook is. */
function drawn(drawing: INotebookDrawing, path: string): StaticNotebook {
  const { contents } = drawing;
  const resolver = new RenderMimeRegistry.UrlResolver({ path, contents });
  const { defaultEditorConfig: editors, defaultNotebookConfig: config } =
    StaticNotebook;
  const readOnly = (editor: object): Record<string, unknown> => ({
    ...editor,
    readOnly: true
  });
  return new StaticNotebook({
    ...drawing,
    rendermime: drawing.rendermime.clone({ resolver }),
    editorConfig: {
      code: readOnly(editors.code),
      markdown: readOnly(editors.markdown),
      raw: readOnly(editors.raw)
    },
    notebookConfig: { ...config, ...WHOLE }
  });
}

/** The notebook as a user's own: his outputs may do what they could do in his kernel. */
function prepared(content: INotebookContent, ended: boolean): INotebookContent {
  const { kernelspec, language_info: language } = content.metadata;
  return {
    ...content,
    metadata: {
      ...content.metadata,
      // a kernel says it, and the job's when it has ended; one that is not there yet has no name
      language_info: language?.name
        ? language
        : { name: languageOf(kernelspec) }
    },
    cells: content.cells.filter(isOwn).map(cell => {
      const metadata = { ...cell.metadata, trusted: true, editable: false };
      return cell.cell_type === 'code' && !ended
        ? { ...cell, metadata, outputs: [], execution_count: null }
        : { ...cell, metadata };
    })
  };
}

function languageOf(kernelspec: IKernelspecMetadata | undefined): string {
  const named = kernelspec?.['language'];
  return typeof named === 'string' ? named : 'python';
}

/** False for the cells in which papermill tells where an error is: the page tells it already. */
function isOwn(cell: ICell): boolean {
  const tags: unknown = cell.metadata['tags'];
  return !(Array.isArray(tags) && tags.includes(ERROR));
}

function attach(outputs: JobOutputs, model: NotebookModel): void {
  for (const cell of model.cells) {
    if (cell.type === 'code' && !outputs.shows(cell.id)) {
      outputs.attach(cell.id, new CellOutputs(cell as ICodeCellModel));
    }
  }
}

/** Put the cell that papermill injected where papermill puts it; false where it is there. */
function inject(model: NotebookModel, id: string, source: string): boolean {
  const cells = [...model.cells];
  if (cells.some(cell => cell.id === id)) {
    return false;
  }
  const tagged = cells.findIndex(cell => {
    const tags: unknown = cell.getMetadata('tags');
    return Array.isArray(tags) && tags.includes(PARAMETERS);
  });
  model.sharedModel.insertCell(tagged + 1, {
    cell_type: 'code',
    id,
    source,
    metadata: { tags: [INJECTED], trusted: true, editable: false }
  });
  return true;
}
