/** The dialog; loaded when somebody opens it for the first time. */
export { Submitting } from './dialog';
export { onScreen } from './screen';
export { type ISubject, JobSubject, NotebookSubject } from './subject';
