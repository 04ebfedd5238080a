/** Which notebook, where none is in front. */
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { PathExt } from '@jupyterlab/coreutils';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

/** A notebook that somebody chooses; null for none. */
export async function chooseNotebook(
  documents: IDocumentManager,
  trans: TranslationBundle,
  folder: string | null
): Promise<string | null> {
  for (let from = folder; ;) {
    const { value } = await FileDialog.getOpenFiles({
      manager: documents,
      title: trans.__('Which notebook shall run elsewhere?'),
      defaultPath: from ?? undefined,
      filter: one => (one.type === 'directory' || isNotebook(one) ? {} : null)
    });
    const chosen = value?.at(0);
    if (chosen === undefined) {
      return null;
    }
    if (isNotebook(chosen)) {
      return chosen.path;
    }
    // a folder was selected, or nothing: then it is the folder that was looked at
    from = chosen.path;
  }
}

function isNotebook({ type, name }: Contents.IModel): boolean {
  return (
    type === 'notebook' ||
    (type !== 'directory' && PathExt.extname(name) === '.ipynb')
  );
}
