/** Jobs in the notebooks that they came from. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import {
  ITranslator,
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';

import { refused, told } from '../commands/told';
import { CommandIDs, DOMAIN, PluginIDs } from '../ids';
import { withWhole } from '../notices/whole';
import type { NotebookJobs } from '../outputs/notebookjobs';
import { askedJob, openTab, tabShows, tabState } from '../tabs';
import { IJobsManager } from '../tokens';
import { oneLine } from '../words';

export const outputsPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.outputs,
  description:
    'Shows jobs in the notebooks that they came from: headers of %%remote cells, outputs.',
  autoStart: true,
  requires: [IJobsManager, INotebookTracker],
  optional: [IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: IJobsManager,
    tracker: INotebookTracker,
    state: IStateDB | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { commands } = app;
    const { contents } = app.serviceManager;
    const notebooks = new Map<NotebookPanel, Promise<NotebookJobs | null>>();
    const make = async (panel: NotebookPanel): Promise<NotebookJobs | null> => {
      // JupyterLab shows itself first, with the notebooks of last time
      await app.restored;
      const { NotebookJobs } = await import('../outputs/notebookjobs');
      return panel.isDisposed
        ? null
        : new NotebookJobs(panel, {
            manager,
            trans,
            asked: tabShows() === 'notebooks' ? askedJob() : null,
            state: tabShows() === '' ? state : tabState,
            path: () => contents.localPath(panel.context.path),
            open: id => void commands.execute(CommandIDs.openJob, { id }),
            cancel: id => void commands.execute(CommandIDs.cancel, { id })
          });
    };
    const add = (panel: NotebookPanel): void => {
      notebooks.set(panel, make(panel));
      panel.disposed.connect(() => notebooks.delete(panel));
    };
    tracker.widgetAdded.connect((_, panel) => add(panel));
    tracker.forEach(add);

    const show = shower({ app, manager, trans, notebooks });
    commands.addCommand(CommandIDs.showOutputs, {
      label: trans.__('Show Outputs in the Notebook'),
      caption: trans.__(
        'Show the outputs, cell by cell, in the notebook that the job came from'
      ),
      isEnabled: args => {
        const job = manager.known(args['id'] as string);
        return job?.kind === 'notebook' && job.path !== null;
      },
      execute: args => told(trans, () => show(args['id'] as string))
    });
  }
};

interface IShower {
  app: JupyterFrontEnd;
  manager: IJobsManager;
  trans: TranslationBundle;
  /** Those that are open. */
  notebooks: ReadonlyMap<NotebookPanel, Promise<NotebookJobs | null>>;
}

/** Shows a job's outputs in the notebook that it came from. */
function shower({
  app,
  manager,
  trans,
  notebooks
}: IShower): (id: string) => Promise<void> {
  const { commands } = app;
  const { contents } = app.serviceManager;
  /** Open notebooks that a job came from, also where they have another name by now. */
  const origins = async (
    id: string,
    path: string
  ): Promise<NotebookPanel[]> => {
    const found: NotebookPanel[] = [];
    for (const [panel, jobs] of notebooks) {
      const named = contents.localPath(panel.context.path) === path;
      if (named || (await jobs)?.has(id)) {
        found.push(panel);
      }
    }
    return found;
  };
  const opened = async (id: string, path: string): Promise<boolean> => {
    const [panel] = await origins(id, path);
    if (panel as NotebookPanel | undefined) {
      app.shell.activateById(panel.id);
      return true;
    }
    if (tabShows() !== '') {
      return openedTab(id, path);
    }
    try {
      await commands.execute('docmanager:open', { path });
      return true;
    } catch {
      // renamed, moved or deleted: JupyterLab's own word for it is a number
      return false;
    }
  };
  const openedTab = async (id: string, path: string): Promise<boolean> => {
    try {
      await contents.get(path, { content: false });
    } catch {
      return false;
    }
    if (!openTab(id, { path })) {
      throw new Error(refused(trans));
    }
    return true;
  };
  return async id => {
    const { path } = await manager.job(id);
    if (path === null) {
      return;
    }
    if (!(await opened(id, path))) {
      const text = trans.__(
        '%1 cannot be opened; it may have been renamed or deleted. The job’s page shows its outputs.',
        oneLine(path)
      );
      const actions = withWhole(trans, text);
      Notification.warning(text, { autoClose: 8000, actions });
      await commands.execute(CommandIDs.openJob, { id });
      return;
    }
    // (views of one notebook show the same)
    const shown = new Set<NotebookPanel['context']>();
    for (const panel of await origins(id, path)) {
      await panel.context.ready;
      if (!shown.has(panel.context)) {
        shown.add(panel.context);
        await (await notebooks.get(panel))?.show(id);
      }
    }
  };
}
