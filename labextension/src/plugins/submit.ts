/** The commands that open the dialog. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addSubmitCommands } from '../commands/submit';
import { DOMAIN, PluginIDs } from '../ids';
import { IJobsManager } from '../tokens';

export const submitPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.submit,
  description: 'Runs notebooks on other machines: the dialog.',
  autoStart: true,
  requires: [IJobsManager, INotebookTracker],
  optional: [ITranslator, IDocumentManager, IFileBrowserFactory],
  activate: (
    { commands, serviceManager }: JupyterFrontEnd,
    manager: IJobsManager,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    documents: IDocumentManager | null,
    files: IFileBrowserFactory | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const open = { notebooks, documents, files };
    const base = serviceManager.serverSettings.baseUrl;
    addSubmitCommands({ commands, manager, trans, base, ...open });
  }
};
