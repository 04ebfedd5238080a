/** Records as the server answers them, for tests. */
import type { IJob } from '../src/records';

export function job(id: string, changes: Partial<IJob> = {}): IJob {
  const state = changes.state ?? 'RUNNING';
  return {
    id,
    name: `job ${id}`,
    kind: 'notebook',
    target: 'local',
    state,
    wanted: null,
    final: !['CREATED', 'PENDING', 'RUNNING'].includes(state),
    reason: '',
    notes: [],
    path: 'a.ipynb',
    notebook: '/srv/a.ipynb',
    cell: null,
    parameters: {},
    kernel: 'python3',
    image: null,
    resources: {
      gpus: 0,
      gpu_type: null,
      cpus: null,
      mem: null,
      nodes: 1,
      ntasks_per_node: 1,
      time: null
    },
    directory: '/srv/jobs',
    cells: { done: 0, total: 3, current: '' },
    created_at: 1,
    started_at: null,
    finished_at: null,
    seconds: null,
    cost: null,
    exit: null,
    fetched: null,
    submit_key: null,
    revision: 1,
    ...changes
  };
}
