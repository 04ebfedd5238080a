/** A job's page in the main area: its notebook while it runs, log, files, details. */
import { CommandToolbarButton, MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon, ToolbarButton } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { Panel, type Widget } from '@lumino/widgets';

import { CommandIDs } from '../ids';
import type { Connection, IJobChange, IJobsManager } from '../tokens';
import { DetailsView } from './details';
import { FilesView } from './files';
import { Head, type ITab } from './head';
import { jobsIcon } from './icons';
import { LogView } from './log';
import { copyMenu } from './menu';
import { shown } from './wording';

import '../../style/jobs.css';
import '../../style/submit.css';

export interface IPageOptions {
  manager: IJobsManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
  id: string;
  /** Makes what shows the notebook. */
  outputs: () => Widget;
}

/** What can be done with a job, in the toolbar of its page. */
const TOOLS = [
  CommandIDs.cancel,
  CommandIDs.rerun,
  CommandIDs.rerunEdited,
  CommandIDs.fetch,
  CommandIDs.showOutputs,
  CommandIDs.remove
];

/** The page, ready for the main area. */
export class JobPage extends MainAreaWidget<JobContent> {
  constructor(options: IPageOptions) {
    super({ content: new JobContent(options) });
    this.jobId = options.id;
    this.id = pageId(options.id);
    this.title.icon = jobsIcon;
    this.title.closable = true;
    this._rename(options);
    const learn = (): void => {
      if (!options.manager.known(options.id)) {
        void this._learn(options);
      }
    };
    learn();
    const changed = (_: IJobsManager, change: IJobChange): void => {
      if (change.id === options.id) {
        this._rename(options);
      }
    };
    const connected = (_: IJobsManager, now: Connection): void => {
      if (now === 'online') {
        learn();
      }
    };
    options.manager.jobChanged.connect(changed);
    options.manager.connectionChanged.connect(connected);
    this.disposed.connect(() => {
      options.manager.jobChanged.disconnect(changed);
      options.manager.connectionChanged.disconnect(connected);
    });
    fill(this, options);
  }

  readonly jobId: string;

  /** Read a job of which nothing was known, as after a reload: that is no news to others. */
  private async _learn(options: IPageOptions): Promise<void> {
    try {
      await options.manager.job(options.id);
    } catch {
      return; // the head tells it
    }
    if (!this.isDisposed) {
      this._rename(options);
      TOOLS.filter(id => options.commands.hasCommand(id)).forEach(id =>
        options.commands.notifyCommandChanged(id)
      );
    }
  }

  private _rename({ manager, trans, id }: IPageOptions): void {
    const job = manager.known(id);
    const name = job ? shown(job.name) : trans.__('Job');
    this.title.label = name;
    this.title.caption = job ? `${name} · ${shown(job.target)}` : name;
  }
}

/** The id of the widget of a job's page. */
export function pageId(id: string): string {
  return `jupyter-hybrid-page-${id}`;
}

/** Put what can be done with the job into the toolbar. */
function fill(page: JobPage, options: IPageOptions): void {
  const { commands, trans, id } = options;
  const args = { id };
  // else a key counts twice: by itself, and by the click that a browser makes of it
  const noFocusOnClick = true;
  page.toolbar.addClass('jp-hybrid-Page-toolbar');
  for (const command of TOOLS) {
    if (commands.hasCommand(command)) {
      const what = { commands, id: command, args, noFocusOnClick };
      page.toolbar.addItem(command, new CommandToolbarButton(what));
    }
  }
  const copy = new ToolbarButton({
    icon: copyIcon,
    tooltip: trans.__('Copy as magic, command line or Python'),
    noFocusOnClick,
    onClick: () => {
      const box = copy.node.getBoundingClientRect();
      const menu = copyMenu(commands, trans, args);
      menu.aboutToClose.connect(() => {
        setTimeout(() => menu.dispose());
      });
      menu.open(box.left, box.bottom);
    }
  });
  page.toolbar.addItem('copy', copy);
}

interface IPart extends ITab {
  make: () => Widget;
}

/** The parts of a page, each made when it is looked at. */
class JobContent extends Panel {
  constructor(options: IPageOptions) {
    super();
    this.addClass('jp-hybrid-Page');
    const { manager, commands, trans, id } = options;
    const tab = (name: string, label: string, make: () => Widget): IPart => ({
      name,
      label,
      make,
      panel: `${pageId(id)}-${name}`
    });
    const fetch = (): void => void commands.execute(CommandIDs.fetch, { id });
    const tabs = [
      tab('outputs', trans.__('Notebook'), options.outputs),
      tab('log', trans.__('Log'), () => new LogView(manager, id, trans)),
      tab(
        'files',
        trans.__('Files'),
        () => new FilesView({ manager, id, trans, fetch })
      ),
      tab(
        'details',
        trans.__('Details'),
        () => new DetailsView(manager, id, trans)
      )
    ];
    const head = new Head(manager, id, tabs, trans);
    this.addWidget(head);
    this.showTab = name => {
      if (tabs.some(tab => tab.name === name)) {
        head.current = name;
      }
    };
    const show = (): void => {
      const shown = tabs.find(one => one.name === head.current);
      if (shown) {
        this._show(shown);
      }
    };
    head.changed.connect(show);
    show();
  }

  /** Show the part with this name. */
  readonly showTab: (name: string) => void;

  private _show(tab: IPart): void {
    this._parts.forEach(part => part.hide());
    let part = this._parts.get(tab.name);
    if (part === undefined) {
      part = tab.make();
      part.id = tab.panel;
      part.node.setAttribute('role', 'tabpanel');
      part.node.setAttribute('aria-labelledby', `${tab.panel}-tab`);
      part.addClass('jp-hybrid-Page-part');
      this._parts.set(tab.name, part);
      this.addWidget(part);
    }
    part.show();
  }

  private readonly _parts = new Map<string, Widget>();
}
