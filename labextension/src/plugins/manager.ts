/** Gives other plugins the jobs. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { DOMAIN, PluginIDs } from '../ids';
import { JobsManager } from '../manager';
import { IJobsManager } from '../tokens';

export const managerPlugin: JupyterFrontEndPlugin<IJobsManager> = {
  id: PluginIDs.manager,
  description: 'The jobs of this user on all targets, kept up to date.',
  autoStart: true,
  provides: IJobsManager,
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null
  ): IJobsManager => {
    const { languageCode } = translator ?? nullTranslator;
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { serverSettings, events } = app.serviceManager;
    const manager = new JobsManager({
      settings: serverSettings,
      events,
      sentences: {
        language: languageCode,
        silence: trans.__('The Jupyter server does not answer.'),
        signedOut: trans.__(
          'You are signed out of the Jupyter server. Reload the page to sign in; jobs go on meanwhile.'
        ),
        answered: status => trans.__('The Jupyter server answered %1.', status)
      }
    });
    // JupyterLab shows itself first
    void app.restored.then(() => manager.start());
    return manager;
  }
};
