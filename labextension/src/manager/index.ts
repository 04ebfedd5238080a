export { JobsManager } from './manager';
