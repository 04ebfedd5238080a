import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { jobsPlugin } from './plugins/jobs';
import { managerPlugin } from './plugins/manager';
import { pagePlugin } from './plugins/page';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  managerPlugin,
  jobsPlugin,
  pagePlugin
];

export default plugins;
export { IJobsManager } from './tokens';
