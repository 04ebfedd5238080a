/** Our own icons, in JupyterLab's manner: they take the theme's colours. */
import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, path: string): LabIcon {
  const svgstr =
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
    `<path class="jp-icon3 jp-icon-selectable" fill="#616161" d="${path}"/></svg>`;
  return new LabIcon({ name: `jupyter-hybrid:${name}`, svgstr });
}

/** A notebook's run that leaves: play, and an arrow out of a box. */
export const elsewhereIcon = icon(
  'elsewhere',
  'M5 3h7v2H5v14h14v-7h2v7a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z' +
    'M15 3h6v6h-2V6.4l-4.3 4.3-1.4-1.4L17.6 5H15z' +
    'M9 10.2v6.6l5.2-3.3z'
);
