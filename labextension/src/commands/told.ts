/** What a command cannot do is told to whoever asked for it. */
import { Dialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { withWhole } from '../notices/whole';
import { RequestError, asError } from '../request';

/** Do it; what goes wrong is shown, once, as JupyterLab shows such things. */
export async function told(
  trans: TranslationBundle,
  action: () => Promise<void>
): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    const error = asError(thrown);
    if (isAway(error)) {
      // by a dialog: what draws notifications is read from the server, too
      await showErrorMessage(
        trans.__('It was not done'),
        trans.__('The Jupyter server does not answer.'),
        [Dialog.okButton({ label: trans.__('Close') })]
      );
      return;
    }
    const text = trans.__('It was not done: %1', error.message);
    const actions = withWhole(trans, text);
    Notification.error(text, { autoClose: false, actions });
  }
}

/** True also for a part of ours that could not be loaded, as webpack names it. */
function isAway(error: Error): boolean {
  return (
    error.name === 'ChunkLoadError' ||
    (error instanceof RequestError && error.away)
  );
}

/** Why there is no new tab of the browser. */
export function refused(trans: TranslationBundle): string {
  return trans.__('The browser does not let another tab be opened.');
}
