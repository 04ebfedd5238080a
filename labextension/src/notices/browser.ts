/** The browser's own notifications, for who looks at another window. */
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

export function askBrowser(): void {
  if (
    'Notification' in window &&
    window.Notification.permission === 'default'
  ) {
    void window.Notification.requestPermission();
  }
}
