/** What is loaded when somebody opens the dialog for the first time. */
export { openSubmitDialog } from './dialog';
export { onScreen } from './screen';
