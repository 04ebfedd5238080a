/** The way to the dialog from the launcher. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, PluginIDs } from '../ids';

export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.launcher,
  description: 'Runs notebooks on other machines: the launcher.',
  autoStart: true,
  // Notebook 7 has none
  optional: [ILauncher, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    launcher: ILauncher | null,
    translator: ITranslator | null
  ): void => {
    // the category is one of JupyterLab's own
    const theirs = (translator ?? nullTranslator).load('jupyterlab');
    launcher?.add({
      command: CommandIDs.submit,
      category: theirs.__('Other'),
      rank: 5
    });
  }
};
