import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { buttonPlugin } from './plugins/button';
import { jobsPlugin } from './plugins/jobs';
import { launcherPlugin } from './plugins/launcher';
import { managerPlugin } from './plugins/manager';
import { outputsPlugin } from './plugins/outputs';
import { pagePlugin } from './plugins/page';
import { submitPlugin } from './plugins/submit';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  managerPlugin,
  submitPlugin,
  buttonPlugin,
  launcherPlugin,
  jobsPlugin,
  pagePlugin,
  outputsPlugin
];

export default plugins;
export { IJobsManager } from './tokens';
