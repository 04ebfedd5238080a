/** All of a notification's text, where JupyterLab shows its beginning alone. */
import { Dialog, type Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

/** Characters that JupyterLab shows of a notification, where it pops up and in the list of all. */
const SEEN = 140;

/** What can be done about a text, and to read all of it where it is longer than what is shown. */
export function withWhole(
  trans: TranslationBundle,
  text: string,
  actions: Notification.IAction[] = []
): Notification.IAction[] {
  if (text.length <= SEEN) {
    return actions;
  }
  const read = (event: MouseEvent): void => {
    // else the notification would be gone, and what else can be done with it
    event.preventDefault();
    void show(trans, text);
  };
  return [...actions, { label: trans.__('Details'), callback: read }];
}

async function show(trans: TranslationBundle, text: string): Promise<void> {
  const body = new Widget();
  body.node.textContent = text;
  body.node.style.whiteSpace = 'pre-wrap';
  body.node.style.overflowWrap = 'anywhere';
  await showDialog({
    title: trans.__('Details'),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}
