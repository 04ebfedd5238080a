/** An item of the status bar while jobs run or wait. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { CommandIDs, DOMAIN, PluginIDs } from '../ids';
import { counts, RunningStatus } from '../notices/status';
import { unfinished } from '../notices/unfinished';
import { IJobsManager } from '../tokens';

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.status,
  description: 'Shows in the status bar how many jobs run.',
  autoStart: true,
  requires: [IJobsManager],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    manager: IJobsManager,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    if (bar === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    void app.restored.then(() => {
      const list = unfinished(manager);
      const item = new RunningStatus(
        list,
        trans,
        () => void app.commands.execute(CommandIDs.showJobs)
      );
      const changed = new Signal<RunningStatus, void>(item);
      list.changed.connect(() => changed.emit());
      bar.registerStatusItem(PluginIDs.status, {
        item,
        align: 'left',
        rank: 20,
        isActive: () => {
          const { running, waiting } = counts(list);
          return running + waiting > 0;
        },
        activeStateChanged: changed
      });
    });
  }
};
