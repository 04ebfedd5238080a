/** Submits that are under way, above the jobs: they look like one, and nothing can be done to them. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReactElement } from 'react';

import type { ISendings } from '../tokens';
import { statePicture } from './icons';
import { shown, stateName } from './wording';

export function Sending(props: {
  sendings: ISendings;
  trans: TranslationBundle;
}): ReactElement {
  const { sendings, trans } = props;
  return (
    <ul className="jp-hybrid-Jobs-sending" aria-live="polite">
      {sendings.items.map(({ name, target, trouble }, index) => (
        <li key={index} className="jp-hybrid-Job" data-state="CREATED">
          <div className="jp-hybrid-Job-main">
            <div className="jp-hybrid-Job-title">
              {statePicture('CREATED')}
              <span className="jp-hybrid-Job-name">
                <bdi>{shown(name)}</bdi>
              </span>
            </div>
            <div className="jp-hybrid-Job-facts">
              <span className="jp-hybrid-State">
                {stateName('CREATED', trans)}
              </span>
              <span className="jp-hybrid-Job-target">
                <bdi>{shown(target)}</bdi>
              </span>
            </div>
            {trouble !== undefined && (
              <div className="jp-hybrid-Job-now" title={trouble}>
                {trouble}
              </div>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
