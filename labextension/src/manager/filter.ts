/** Which jobs a filter means: the server's own rules, for jobs that are here already. */
import type { IJob, IJobFilter, IJobPage, State } from '../records';

export function matches(filter: IJobFilter, job: IJob): boolean {
  return (
    (!filter.states || filter.states.includes(job.state)) &&
    matchesButState(filter, job)
  );
}

/** The filter without its states, as it is for `counts`. */
export function matchesButState(filter: IJobFilter, job: IJob): boolean {
  const text = filter.text?.toLowerCase() ?? '';
  return (
    (!filter.target || job.target === filter.target) &&
    (!filter.path || job.path === filter.path) &&
    job.name.toLowerCase().includes(text)
  );
}

/** How many jobs there are in the filter's states. */
export function total(counts: IJobPage['counts'], filter: IJobFilter): number {
  const states = filter.states ?? (Object.keys(counts) as State[]);
  return states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** Jobs with one put in where its id belongs (newest first), or in the place of its old self. */
export function withJob(jobs: readonly IJob[], job: IJob): IJob[] {
  const at = jobs.findIndex(other => other.id <= job.id);
  if (at < 0) {
    return [...jobs, job];
  }
  const same = jobs[at].id === job.id ? 1 : 0;
  return [...jobs.slice(0, at), job, ...jobs.slice(at + same)];
}
