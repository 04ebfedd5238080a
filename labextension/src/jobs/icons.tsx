/** Pictures of ours, in the colours of the theme. */
import {
  checkIcon,
  circleEmptyIcon,
  circleIcon,
  ellipsesIcon,
  errorIcon,
  LabIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import type { ReactElement } from 'react';

import type { State } from '../records';

/** The jobs: lines of a list that run. */
export const jobsIcon = new LabIcon({
  name: 'jupyter-hybrid:jobs',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <path d="M3 5.2v5.6l4.6-2.8zM3 13.2v5.6l4.6-2.8z"/>
    <path d="M10 7h11v2H10zM10 15h11v2H10z"/>
  </g>
</svg>`
});

/** A clock: it waits. */
const waitingIcon = new LabIcon({
  name: 'jupyter-hybrid:waiting',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <path class="jp-icon3" fill="#616161" d="M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm-1 2v5.4l4.3 2.6 1-1.6-3.3-2V7z"/>
</svg>`
});

/** A question mark: nobody knows. */
const lostIcon = new LabIcon({
  name: 'jupyter-hybrid:lost',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <path class="jp-icon3" fill="#616161" d="M11 16h2v2h-2zm1-10a4 4 0 0 1 4 4c0 2.5-3 2.7-3 5h-2c0-3.2 3-3 3-5a2 2 0 0 0-4 0H8a4 4 0 0 1 4-4z"/>
</svg>`
});

const STATES: Readonly<Record<State, LabIcon>> = {
  CREATED: circleEmptyIcon,
  PENDING: waitingIcon,
  RUNNING: circleIcon,
  COMPLETED: checkIcon,
  FAILED: errorIcon,
  CANCELLED: stopIcon,
  LOST: lostIcon
};

const drawn = new Map<State, ReactElement>();

/**
 * The picture for a state; its word stands beside it. One and the same element each time: React
 * leaves it as it is, while JupyterLab makes a style and two connections for each that it draws.
 */
export function statePicture(state: State): ReactElement {
  let picture = drawn.get(state);
  if (picture === undefined) {
    const Icon = STATES[state];
    picture = <Icon.react tag="span" className="jp-hybrid-Job-icon" />;
    drawn.set(state, picture);
  }
  return picture;
}

/** The pictures on buttons of a row, for the same reason. */
export const STOP = <stopIcon.react tag="span" />;
export const MORE = <ellipsesIcon.react tag="span" />;
