/** Views of notebooks, with the jobs in them, for tests. */
import type { NotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';
import { vi } from 'vitest';

import { NotebookJobs } from '../src/outputs/notebookjobs';
import type { IMemory } from '../src/outputs/remembered';
import type { FakeServer } from './server';

/** What the cells show before a job does. */
export const MINE = ['mine 1\n', 'mine 2\n'];

/** A view of a notebook, and the jobs in it. */
export class View {
  readonly jobs: NotebookJobs;

  constructor(
    readonly model: NotebookModel,
    { manager }: FakeServer,
    memory: Map<string, string>
  ) {
    const cells = [...model.cells].map(cell => ({
      model: cell,
      toggleClass: () => false
    }));
    const pathChanged = new Signal<object, string>({});
    const context = { model, ready: Promise.resolve(), pathChanged };
    const content = { model, widgets: cells };
    const disposed = new Signal<object, void>({});
    const { contentHeader } = this;
    const panel = { context, content, contentHeader, disposed } as unknown;
    this.jobs = new NotebookJobs(panel as NotebookPanel, {
      manager,
      trans: nullTranslator.load(''),
      asked: null,
      state: remembers(memory),
      path: () => this._path,
      open: () => undefined,
      cancel: () => undefined
    });
    /** As JupyterLab does: what is ours hears of it last. */
    this.close = last => {
      for (const cell of cells) {
        Object.assign(cell, { model: null });
      }
      if (last) {
        model.dispose();
      }
      disposed.emit();
    };
    this.rename = path => {
      this._path = path;
      pathChanged.emit(path);
    };
  }

  /** What stands above the notebook. */
  readonly contentHeader = new Panel();
  readonly close: (last: boolean) => void;
  readonly rename: (path: string) => void;
  private _path = 'a.ipynb';
}

function remembers(memory: Map<string, string>): IMemory {
  return {
    fetch: key => Promise.resolve(memory.get(key)),
    save: (key, value) => Promise.resolve(memory.set(key, value)),
    remove: key => Promise.resolve(memory.delete(key))
  };
}

/** Let all be drawn. */
export async function drawn(): Promise<void> {
  await vi.advanceTimersByTimeAsync(200);
}
