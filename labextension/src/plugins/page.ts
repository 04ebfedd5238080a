/** Opens a job's page: in JupyterLab's main area, in Notebook 7 beside the files. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { launchIcon } from '@jupyterlab/ui-components';
import { TabPanel } from '@lumino/widgets';

import { refused, told } from '../commands/told';
import { CommandIDs, DOMAIN, PluginIDs } from '../ids';
import type { JobPage } from '../jobs/page';
import { leftOutFactory } from '../outputs/leftout';
import { askedJob, askedPart, forgetAsked, openTab, tabShows } from '../tabs';
import { IJobsManager } from '../tokens';

/** Rank of what shows that something is left out: before the text that stands beside it. */
const FIRST = 0;

type Services = [
  IJobsManager,
  IRenderMimeRegistry,
  NotebookPanel.IContentFactory,
  IEditorServices,
  ILayoutRestorer | null,
  ITranslator | null
];

export const pagePlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIDs.page,
  description: 'A page for each job: its notebook while it runs, log, files.',
  autoStart: true,
  requires: [
    IJobsManager,
    IRenderMimeRegistry,
    NotebookPanel.IContentFactory,
    IEditorServices
  ],
  optional: [ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    ...[manager, rendermime, contentFactory, editors, ...others]: Services
  ): void => {
    const { mimeTypeService } = editors;
    const [restorer, translated] = others;
    const translator = translated ?? nullTranslator;
    const trans = translator.load(DOMAIN);
    const { commands, shell } = app;
    const { contents } = app.serviceManager;
    const services = { rendermime, contents, contentFactory };
    const drawing = { ...services, mimeTypeService, translator };
    const tracker = new WidgetTracker<JobPage>({ namespace: 'jupyter-hybrid' });
    const make = async (id: string): Promise<JobPage> => {
      // not before somebody looks: JupyterLab's start is not slowed down by it
      const [{ JobPage }, { OutputNotebook }] = await Promise.all([
        import('../jobs/page'),
        import('../outputs/notebook')
      ]);
      const outputs = (): InstanceType<typeof OutputNotebook> =>
        new OutputNotebook(manager, id, drawing);
      const page = new JobPage({ manager, commands, trans, id, outputs });
      add(shell, page);
      await tracker.add(page);
      return page;
    };
    const making = new Map<string, Promise<JobPage>>();
    /** One page for a job, also for who asks twice while it is loaded. */
    const open = async (id: string, part?: string): Promise<JobPage> => {
      let page = tracker.find(one => one.jobId === id);
      if (page === undefined) {
        const made = making.get(id) ?? make(id);
        making.set(id, made);
        page = await made.finally(() => making.delete(id));
      }
      activate(shell, page);
      if (part !== undefined) {
        page.content.showTab(part);
      }
      return page;
    };
    const opened = async (id: string, part?: string): Promise<void> => {
      // in Notebook 7 a page stands in the tree, and nothing beside a document
      if (['', 'tree'].includes(tabShows())) {
        await open(id, part);
      } else if (!openTab(id, { part })) {
        throw new Error(refused(trans));
      }
    };
    const openLog = (id: string): void =>
      void commands.execute(CommandIDs.openJob, { id, tab: 'log' });
    rendermime.addFactory(leftOutFactory(trans, openLog), FIRST);
    commands.addCommand(CommandIDs.openJob, {
      label: trans.__('Open'),
      caption: trans.__('Show the job’s notebook, log and files'),
      icon: launchIcon,
      execute: async args => {
        const { id, tab } = args;
        if (typeof id === 'string') {
          const part = typeof tab === 'string' ? tab : undefined;
          await told(trans, () => opened(id, part));
        }
      }
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openJob,
      args: page => ({ id: page.jobId }),
      name: page => page.jobId
    });
    const asked = askedJob();
    if (tabShows() === 'tree' && asked !== null) {
      void app.restored.then(() =>
        told(trans, async () => named(await open(asked, askedPart())))
      );
    }
  }
};

/** Put it into the main area or, in Notebook 7, into the tree. */
function add(shell: JupyterFrontEnd.IShell, page: JobPage): void {
  const tree = treeOf(shell);
  if (tree === null) {
    shell.add(page, 'main');
  } else {
    tree.addWidget(page);
  }
}

function activate(shell: JupyterFrontEnd.IShell, page: JobPage): void {
  const tree = treeOf(shell);
  if (tree === null) {
    shell.activateById(page.id);
  } else {
    tree.currentWidget = page;
    page.activate();
  }
}

/** Notebook 7's files and what runs, which have tabs; null elsewhere. */
function treeOf(shell: JupyterFrontEnd.IShell): TabPanel | null {
  const shown = shell.currentWidget;
  return tabShows() === 'tree' && shown instanceof TabPanel ? shown : null;
}

/** Give the browser's tab the name of the job that it was opened for. */
function named(page: JobPage): void {
  const before = document.title;
  const name = (): void => {
    document.title = page.title.label;
  };
  page.title.changed.connect(name);
  name();
  page.disposed.connect(() => {
    document.title = before;
    forgetAsked();
  });
}
