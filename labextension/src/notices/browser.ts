/** The browser's own notifications, for who looks at another window. */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { INotice } from './notices';

/** Where nobody looks at JupyterLab; the same in two windows is told once. */
export function showByBrowser(
  { job, kind, text }: INotice,
  open: () => void
): void {
  const allowed =
    'Notification' in window && window.Notification.permission === 'granted';
  if (allowed && !document.hasFocus()) {
    // in place of one with the same tag, browsers show one silently
    const tag = `${job.id} ${kind}`;
    const shown = new window.Notification(text, { tag });
    shown.onclick = (): void => {
      window.focus();
      open();
    };
  }
}

/** Asks for the browser's leave by a button: outside of a click, some browsers ask nobody. */
export class Leave {
  constructor(private readonly _trans: TranslationBundle) {}

  /** Somebody wants to be told by the browser, or wants it no more. */
  want(wanted: boolean): void {
    const trans = this._trans;
    if (this._asked !== null) {
      Notification.dismiss(this._asked);
      this._asked = null;
    }
    if (
      wanted &&
      'Notification' in window &&
      window.Notification.permission === 'default'
    ) {
      const ask = (): void => void window.Notification.requestPermission();
      this._asked = Notification.info(
        trans.__('The browser tells of jobs once you allow it.'),
        {
          autoClose: false,
          actions: [{ label: trans.__('Allow…'), callback: ask }]
        }
      );
    }
  }

  private _asked: string | null = null;
}
