/** What travelled with a job, and what came of it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { type ReactElement, useEffect, useState } from 'react';

import type { IResults } from '../records';
import { asError } from '../request';
import type { IJobsManager } from '../tokens';
import { size } from '../words';
import { useReturns } from './hooks';
import { useJob } from './usejob';
import { shown } from './wording';

/** Files of a list that are drawn. */
const MOST = 500;

export interface IFilesOptions {
  manager: IJobsManager;
  id: string;
  trans: TranslationBundle;
  fetch: () => void;
}

export class FilesView extends ReactWidget {
  constructor(private readonly _options: IFilesOptions) {
    super();
    this.addClass('jp-hybrid-Text');
  }

  protected override render(): ReactElement {
    return <Files {...this._options} />;
  }
}

function Files({ manager, id, trans, fetch }: IFilesOptions): ReactElement {
  const { job } = useJob(manager, id);
  const ended = job?.final ?? false;
  const sent = useAnswer(manager, () => manager.api.sent(id), id);
  return (
    <>
      <h2>{trans.__('Results')}</h2>
      {ended ? (
        <Results manager={manager} id={id} trans={trans} fetch={fetch} />
      ) : (
        <p>{trans.__('They can be listed when the job has ended.')}</p>
      )}
      <h2>{trans.__('Sent with the job')}</h2>
      <List
        files={sent.value}
        error={sent.error}
        nothing={trans.__('Only the notebook.')}
        trans={trans}
      />
    </>
  );
}

function Results(props: IFilesOptions): ReactElement {
  const { manager, id, trans, fetch } = props;
  const { value, error } = useAnswer<IResults>(
    manager,
    () => manager.api.results(id),
    id
  );
  return (
    <>
      <p className="jp-hybrid-Text-actions">
        <Button className="jp-mod-styled" onClick={fetch}>
          {trans.__('Fetch into the workspace')}
        </Button>{' '}
        <a href={manager.api.notebookUrl(id)} download>
          {trans.__('Download the executed notebook')}
        </a>
      </p>
      <List
        files={value?.files ?? null}
        error={error}
        nothing={trans.__('The job wrote no files.')}
        trans={trans}
        url={path => manager.api.resultUrl(id, path)}
      />
      {value !== null && value.deleted.length > 0 && (
        <p>
          {trans.__(
            'Deleted there, kept here: %1',
            value.deleted.map(shown).join(', ')
          )}
        </p>
      )}
    </>
  );
}

interface IListProps {
  /** Null until they are known. */
  files:
    | readonly { path: string; size: number; change?: 'new' | 'changed' }[]
    | null;
  /** Why they are not. */
  error: Error | null;
  nothing: string;
  trans: TranslationBundle;
  url?: (path: string) => string;
}

function List(props: IListProps): ReactElement {
  const { files, error, nothing, trans, url } = props;
  if (files === null) {
    return error === null ? (
      <p>{trans.__('Loading…')}</p>
    ) : (
      <p role="alert">{error.message}</p>
    );
  }
  if (files.length === 0) {
    return <p>{nothing}</p>;
  }
  const more = files.length - MOST;
  return (
    <>
      <table className="jp-hybrid-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('File')}</th>
            <th scope="col">{trans.__('Size')}</th>
          </tr>
        </thead>
        <tbody>
          {files.slice(0, MOST).map(file => (
            <tr key={file.path}>
              <td>
                <bdi>
                  {url ? (
                    <a href={url(file.path)} download>
                      {shown(file.path)}
                    </a>
                  ) : (
                    shown(file.path)
                  )}
                </bdi>
                {file.change === 'changed' && ` (${trans.__('changed')})`}
              </td>
              <td>{size(file.size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <p>{trans._n('and %1 more', 'and %1 more', more, more)}</p>}
    </>
  );
}

interface IAnswer<T> {
  value: T | null;
  error: Error | null;
}

/** What a request answers; it is asked again where the key is another one, or the server is back. */
function useAnswer<T>(
  manager: IJobsManager,
  ask: () => Promise<T>,
  key: string
): IAnswer<T> {
  const returns = useReturns(manager);
  const [answer, setAnswer] = useState<IAnswer<T>>({
    value: null,
    error: null
  });
  useEffect(() => {
    let wanted = true;
    ask().then(
      value => wanted && setAnswer({ value, error: null }),
      (error: unknown) =>
        wanted && setAnswer({ value: null, error: asError(error) })
    );
    return () => {
      wanted = false;
    };
    // the question is another function each time, and the same question
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, returns]);
  return answer;
}
