/** Keys that are still down when a dialog closes. */

/** Keep an Enter that is held down from what gets the focus now, until another key is pressed. */
export function withoutHeldEnter(): void {
  const heard = (event: KeyboardEvent): void => {
    if (event.type === 'keydown' && event.key === 'Enter' && event.repeat) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    window.removeEventListener('keydown', heard, true);
    window.removeEventListener('keyup', heard, true);
  };
  window.addEventListener('keydown', heard, true);
  window.addEventListener('keyup', heard, true);
}
