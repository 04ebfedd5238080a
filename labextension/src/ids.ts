/** Names by which JupyterLab, its settings and our own parts know things. */

/** The domain of our translations; the gettext catalogue has the same name. */
export const DOMAIN = 'jupyter_hybrid';

export const PluginIDs = {
  manager: 'jupyter-hybrid:manager',
  /** Has the settings, the toolbar button, menus and shortcuts (`schema/button.json`). */
  button: 'jupyter-hybrid:button',
  /** Has the commands that open the dialog. */
  submit: 'jupyter-hybrid:submit',
  launcher: 'jupyter-hybrid:launcher',
  jobs: 'jupyter-hybrid:jobs',
  page: 'jupyter-hybrid:page',
  outputs: 'jupyter-hybrid:outputs',
  notifications: 'jupyter-hybrid:notifications',
  status: 'jupyter-hybrid:status'
} as const;

export const CommandIDs = {
  /** Open the dialog for a notebook. `{ path? }`: default is the current one. */
  submit: 'jupyter-hybrid:submit',
  /** The same from the file browser's selection. */
  submitSelected: 'jupyter-hybrid:submit-selected',
  /** Open the dialog with a job's choices. `{ id }` */
  rerunEdited: 'jupyter-hybrid:rerun-edited',
  /** Show the jobs panel. `{ id? }` selects a job in it. */
  showJobs: 'jupyter-hybrid:show-jobs',
  /** Open a job's page. `{ id, tab?: 'outputs' | 'log' | 'files' | 'details' }` */
  openJob: 'jupyter-hybrid:open-job',
  /** Submit once more what a job executed. `{ id }` */
  rerun: 'jupyter-hybrid:rerun',
  /** Ask a job to end. `{ id }` */
  cancel: 'jupyter-hybrid:cancel',
  /** Bring a job's results into the workspace. `{ id }` */
  fetch: 'jupyter-hybrid:fetch',
  /** Forget an ended job. `{ id }` */
  remove: 'jupyter-hybrid:delete',
  /** Copy the submit in other words. `{ id, as: 'cli' | 'magic' | 'python' }` */
  copy: 'jupyter-hybrid:copy',
  /** Show a job's outputs in the notebook that it came from. `{ id }` */
  showOutputs: 'jupyter-hybrid:show-outputs'
} as const;

export const WidgetIDs = {
  jobs: 'jupyter-hybrid-jobs'
} as const;
