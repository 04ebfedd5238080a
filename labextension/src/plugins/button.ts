/** The button in every notebook; the schema of the same name adds menus and the shortcut. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  CommandToolbarButton,
  ICommandPalette,
  IToolbarWidgetRegistry
} from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, DOMAIN, PluginIDs } from '../ids';

/** The item of the notebook's toolbar, as `schema/button.json` names it. */
const ITEM = 'jupyter-hybrid-run';

export const buttonPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.button,
  description: 'Runs notebooks on other machines: the button, the palette.',
  autoStart: true,
  optional: [ITranslator, ICommandPalette, IToolbarWidgetRegistry],
  activate: (
    { commands }: JupyterFrontEnd,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    toolbar: IToolbarWidgetRegistry | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    palette?.addItem({
      command: CommandIDs.submit,
      category: trans.__('Jobs Elsewhere')
    });
    toolbar?.addFactory('Notebook', ITEM, () => {
      const button = new CommandToolbarButton({
        commands,
        id: CommandIDs.submit,
        label: trans.__('Run elsewhere')
      });
      // the dialog is there when it is clicked
      const load = (): void =>
        void import('../submit').catch(() => {
          // the click tells it
        });
      button.node.addEventListener('pointerenter', load, { once: true });
      return button;
    });
  }
};
