import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { buttonPlugin } from './plugins/button';
import { jobsPlugin } from './plugins/jobs';
import { launcherPlugin } from './plugins/launcher';
import { managerPlugin } from './plugins/manager';
import { notificationsPlugin } from './plugins/notifications';
import { outputsPlugin } from './plugins/outputs';
import { pagePlugin } from './plugins/page';
import { statusPlugin } from './plugins/status';
import { submitPlugin } from './plugins/submit';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  managerPlugin,
  submitPlugin,
  buttonPlugin,
  launcherPlugin,
  jobsPlugin,
  pagePlugin,
  outputsPlugin,
  notificationsPlugin,
  statusPlugin
];

export default plugins;
export { IJobsManager } from './tokens';
