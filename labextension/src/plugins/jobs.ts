/** The jobs panel, and what can be done with a job. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addJobCommands } from '../commands/jobs';
import { CommandIDs, DOMAIN, PluginIDs, WidgetIDs } from '../ids';
import { openMenu } from '../jobs/menu';
import { JobsPanel } from '../jobs/panel';
import { IJobsManager } from '../tokens';

/** Behind the files and what runs here, before what others bring. */
const RANK = 250;

export const jobsPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.jobs,
  description: 'A panel with the jobs of this user on all targets.',
  autoStart: true,
  requires: [IJobsManager],
  optional: [ILayoutRestorer, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: IJobsManager,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { commands, shell } = app;
    addJobCommands({ commands, manager, trans });
    const panel = new JobsPanel({
      manager,
      trans,
      actions: {
        open: job => void commands.execute(CommandIDs.openJob, { id: job.id }),
        cancel: job => void commands.execute(CommandIDs.cancel, { id: job.id }),
        menu: (job, x, y) => openMenu(commands, trans, job, { x, y })
      },
      submit: () => {
        if (commands.hasCommand(CommandIDs.submit)) {
          void commands.execute(CommandIDs.submit);
        }
      }
    });
    shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, WidgetIDs.jobs);
    commands.addCommand(CommandIDs.showJobs, {
      label: trans.__('Show Jobs'),
      caption: trans.__('Show the jobs of all targets'),
      execute: args => {
        const now = args['activate'] !== false;
        if (now) {
          shell.activateById(WidgetIDs.jobs);
        }
        if (typeof args['id'] === 'string') {
          panel.choose(args['id'], now);
        }
      }
    });
    palette?.addItem({
      command: CommandIDs.showJobs,
      category: trans.__('Jobs Elsewhere')
    });
  }
};
