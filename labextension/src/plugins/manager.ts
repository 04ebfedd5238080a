/** Gives other plugins the jobs. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { PluginIDs } from '../ids';
import { JobsManager } from '../manager';
import { IJobsManager } from '../tokens';

export const managerPlugin: JupyterFrontEndPlugin<IJobsManager> = {
  id: PluginIDs.manager,
  description: 'The jobs of this user on all targets, kept up to date.',
  autoStart: true,
  provides: IJobsManager,
  activate: (app: JupyterFrontEnd): IJobsManager => {
    const { serverSettings, events } = app.serviceManager;
    const manager = new JobsManager({ settings: serverSettings, events });
    // JupyterLab shows itself first
    void app.restored.then(() => manager.start());
    return manager;
  }
};
