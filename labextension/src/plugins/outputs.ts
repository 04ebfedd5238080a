/** Jobs in the notebooks that they came from. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, DOMAIN, PluginIDs } from '../ids';
import type { NotebookJobs } from '../outputs/notebookjobs';
import { IJobsManager } from '../tokens';

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
            state,
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

    const show = async (id: string): Promise<void> => {
      const { path } = await manager.job(id);
      if (path === null) {
        return;
      }
      await commands.execute('docmanager:open', { path });
      for (const [panel, jobs] of notebooks) {
        if (contents.localPath(panel.context.path) === path) {
          await panel.context.ready;
          await (await jobs)?.show(id);
        }
      }
    };
    commands.addCommand(CommandIDs.showOutputs, {
      label: trans.__('Show Outputs in the Notebook'),
      caption: trans.__(
        'Show the outputs, cell by cell, in the notebook that the job came from'
      ),
      isEnabled: args => {
        const job = manager.known(args['id'] as string);
        return job?.kind === 'notebook' && job.path !== null;
      },
      execute: args => show(args['id'] as string)
    });
  }
};
