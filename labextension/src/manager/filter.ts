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
  const text = folded(filter.text ?? '');
  return (
    (!filter.target || job.target === filter.target) &&
    (!filter.path || job.path === filter.path) &&
    (text === '' || folded(job.name).includes(text))
  );
}

/**
 * The text without case and width, as the server compares it. Upper case first: `ß` is `SS`, and
 * final sigma a sigma. (Of the dotless `ı` the upper case is that of `i`, which is another letter.)
 */
function folded(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[^ıİ]+/g, some => some.toUpperCase().toLowerCase())
    .toLowerCase()
    .replaceAll('ς', 'σ');
}

/** How many jobs there are in the filter's states. */
export function total(counts: IJobPage['counts'], filter: IJobFilter): number {
  const states = filter.states ?? (Object.keys(counts) as State[]);
  return states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}
