/** What a job was submitted with. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type ReactElement, useEffect, useState } from 'react';

import { Packages, packagesLine } from '../packages';
import type { IEnvironment, IJob } from '../records';
import type { IJobsManager } from '../tokens';
import { duration, language, size } from '../words';
import { useJob } from './usejob';
import { shown } from './wording';

export class DetailsView extends ReactWidget {
  constructor(
    private readonly _manager: IJobsManager,
    private readonly _id: string,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-hybrid-Text');
  }

  protected override render(): ReactElement {
    return (
      <Details manager={this._manager} id={this._id} trans={this._trans} />
    );
  }
}

interface IDetailsProps {
  manager: IJobsManager;
  id: string;
  trans: TranslationBundle;
}

function Details({ manager, id, trans }: IDetailsProps): ReactElement {
  const { job, error } = useJob(manager, id);
  if (job === null) {
    return <p>{error === null ? trans.__('Loading…') : error.message}</p>;
  }
  const parameters = Object.entries(job.parameters).map(
    ([name, value]): [string, string] => [name, JSON.stringify(value)]
  );
  return (
    <>
      <h2>{trans.__('Parameters')}</h2>
      {parameters.length === 0 ? (
        <p>{trans.__('The notebook’s own.')}</p>
      ) : (
        <Table rows={parameters} code />
      )}
      <h2>{trans.__('Environment')}</h2>
      <Table rows={environment(job, trans)} />
      <Compared manager={manager} job={job} trans={trans} />
      {job.notes.length > 0 && (
        <ul>
          {job.notes.map(note => (
            <li key={note}>{shown(note)}</li>
          ))}
        </ul>
      )}
      <h2>{trans.__('Job')}</h2>
      <Table rows={record(job, trans)} />
    </>
  );
}

/** What the image has of what the notebook needed. */
function Compared(props: {
  manager: IJobsManager;
  job: IJob;
  trans: TranslationBundle;
}): ReactElement | null {
  const { manager, job, trans } = props;
  const [found, setFound] = useState<IEnvironment | null>(null);
  // a job that waits has its image, perhaps, when it runs
  const begun = job.started_at !== null;
  useEffect(() => {
    let shown = true;
    manager.api.environmentOf(job.id).then(
      environment => shown && setFound(environment),
      () => {
        // its place is not configured any more: then the rest stands here alone
      }
    );
    return () => {
      shown = false;
    };
  }, [manager, job.id, begun]);
  return found === null ? null : (
    <details className="jp-hybrid-details">
      <summary>
        <strong>{trans.__('Packages')}</strong>
        <span dir="auto">{packagesLine(found, trans)}</span>
      </summary>
      <Packages environment={found} trans={trans} />
    </details>
  );
}

function Table(props: {
  rows: [string, string][];
  code?: boolean;
}): ReactElement {
  return (
    <table className="jp-hybrid-Table">
      <tbody>
        {props.rows.map(([name, value]) => (
          <tr key={name}>
            <th scope="row">
              <bdi>{shown(name)}</bdi>
            </th>
            <td>
              {props.code ? (
                <code>{shown(value)}</code>
              ) : (
                <bdi>{shown(value)}</bdi>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function environment(job: IJob, trans: TranslationBundle): [string, string][] {
  const { gpus, gpu_type: type, cpus, mem, nodes, time } = job.resources;
  const { ntasks_per_node: tasks } = job.resources;
  const rows: [string, string | null][] = [
    [trans.__('Target'), job.target],
    [trans.__('Image'), job.image ?? trans.__('none')],
    [trans.__('Kernel'), job.kernel],
    [trans.__('GPUs'), gpus > 0 ? [gpus, type ?? ''].join(' ').trim() : null],
    [trans.__('CPUs'), cpus === null ? null : String(cpus)],
    [trans.__('Memory'), mem === null ? null : size(mem)],
    [trans.__('Nodes'), nodes > 1 ? String(nodes) : null],
    [trans.__('Processes per node'), tasks > 1 ? String(tasks) : null],
    [trans.__('Time limit'), time === null ? null : duration(time)]
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}

function record(job: IJob, trans: TranslationBundle): [string, string][] {
  const when = (seconds: number | null): string | null =>
    seconds === null
      ? null
      : new Date(seconds * 1000).toLocaleString(language());
  const peak = job.exit?.peak_memory ?? null;
  const rows: [string, string | null][] = [
    [trans.__('Id'), job.id],
    [trans.__('Notebook'), job.path ?? job.notebook],
    [trans.__('Submitted'), when(job.created_at)],
    [trans.__('Started'), when(job.started_at)],
    [trans.__('Ended'), when(job.finished_at)],
    [trans.__('Largest memory'), peak === null ? null : size(peak)],
    [trans.__('Directory there'), job.directory]
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}
