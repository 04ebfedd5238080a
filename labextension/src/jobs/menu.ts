/** The menu of a job. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { MenuSvg } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Menu } from '@lumino/widgets';

import { CommandIDs } from '../ids';
import type { IJob } from '../records';

/** Show at this place of the screen what can be done with the job. */
export function openMenu(
  commands: CommandRegistry,
  trans: TranslationBundle,
  job: IJob,
  at: { x: number; y: number }
): void {
  const menu = jobMenu(commands, trans, job);
  menu.aboutToClose.connect(() => {
    // the command of the item is executed after the menu has closed
    setTimeout(() => menu.dispose());
  });
  menu.open(at.x, at.y);
}

function jobMenu(
  commands: CommandRegistry,
  trans: TranslationBundle,
  job: IJob
): Menu {
  const args = { id: job.id };
  const menu = new MenuSvg({ commands });
  const add = (command: string): void => {
    // the dialog and the notebook are other plugins' and may be off
    if (commands.hasCommand(command)) {
      menu.addItem({ command, args });
    }
  };
  add(CommandIDs.openJob);
  add(CommandIDs.showOutputs);
  menu.addItem({ type: 'separator' });
  [CommandIDs.cancel, CommandIDs.fetch].forEach(add);
  menu.addItem({ type: 'separator' });
  [CommandIDs.rerun, CommandIDs.rerunEdited].forEach(add);
  menu.addItem({ type: 'submenu', submenu: copyMenu(commands, trans, job) });
  menu.addItem({ type: 'separator' });
  add(CommandIDs.remove);
  return menu;
}

/** The submit in other words. */
export function copyMenu(
  commands: CommandRegistry,
  trans: TranslationBundle,
  job: Pick<IJob, 'id'>
): Menu {
  const menu = new MenuSvg({ commands });
  menu.title.label = trans.__('Copy As');
  for (const as of ['magic', 'cli', 'python']) {
    menu.addItem({ command: CommandIDs.copy, args: { id: job.id, as } });
  }
  return menu;
}
