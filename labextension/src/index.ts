import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { jobsPlugin } from './plugins/jobs';
import { managerPlugin } from './plugins/manager';

const plugins: JupyterFrontEndPlugin<unknown>[] = [managerPlugin, jobsPlugin];

export default plugins;
export { IJobsManager } from './tokens';
