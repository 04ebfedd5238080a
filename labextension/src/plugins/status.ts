/** An item of the status bar while jobs run or wait. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import {
  ITranslator,
  type TranslationBundle,
  nullTranslator
} from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

import { CommandIDs, DOMAIN, PluginIDs } from '../ids';
import { counts, unfinished } from '../notices/unfinished';
import { type IJobList, IJobsManager } from '../tokens';

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
    const open = (): void => void app.commands.execute(CommandIDs.showJobs);
    void app.restored.then(() => {
      const list = unfinished(manager);
      const look = (): void => {
        // who has no jobs has no item
        if (isActive(list)) {
          list.changed.disconnect(look);
          void add(bar, list, trans, open);
        }
      };
      list.changed.connect(look);
    });
  }
};

function isActive(list: IJobList): boolean {
  const { running, waiting } = counts(list);
  return running + waiting > 0;
}

async function add(
  bar: IStatusBar,
  list: IJobList,
  trans: TranslationBundle,
  open: () => void
): Promise<void> {
  const { RunningStatus } = await import('../notices/status');
  const item = new RunningStatus(list, trans, open);
  const activeStateChanged = new Signal<Widget, void>(item);
  list.changed.connect(() => activeStateChanged.emit());
  bar.registerStatusItem(PluginIDs.status, {
    item,
    align: 'left',
    rank: 20,
    isActive: () => isActive(list),
    activeStateChanged
  });
}
