//! What stands at the end of each help: examples and exit codes. A test parses each example.

/// The exit codes of a command that changes something.
macro_rules! exits {
    () => {
        "
Exit codes:
  0    done, or it goes on by itself
  1    failed: the promotion, the function, the network
  2    refused, or typed wrongly: nothing was changed; or, with --watch, replaced by a newer one
  3    waits for people
  4    --timeout was over; the promotion goes on
  130  Ctrl-C; the promotion goes on"
    };
}

/// The exit codes of a report.
macro_rules! report_exits {
    () => {
        "
Exit codes: 0 done, 1 failed, 2 refused or typed wrongly, 130 Ctrl-C"
    };
}

pub(super) const ROOT: &str = concat!(
    "\
Examples:
  promote board                      a link to the page about all apps
  promote status                     all apps in a table
  promote status web                 one app
  promote plan web                   what a promotion would do
  promote approve web 9fceb02        let an image go to production
  promote rollback web --watch       go back, and follow it to its end
  promote promote web --yes --watch  in CI: the newest image, to its end
",
    exits!(),
    "

The function is found by --function, by ECR_PROMOTER_FUNCTION, or in the outputs of the stack
(--stack, ECR_PROMOTER_STACK). The caller needs lambda:InvokeFunction, and
cloudformation:DescribeStacks for the stack's outputs."
);

pub(super) const STATUS: &str = concat!(
    "\
Examples:
  promote status                          all apps
  promote status web                      one app
  promote status web --watch              follow what is under way
  promote status web --watch --timeout 1h
  promote status web --json
",
    exits!()
);

pub(super) const PLAN: &str = concat!(
    "\
Examples:
  promote plan web                what `promote promote web` would do
  promote plan web 9fceb02        the same about one image
  promote plan web --rollback     what `promote rollback web` would do
",
    report_exits!()
);

pub(super) const PROMOTE: &str = concat!(
    "\
Examples:
  promote promote web                      the newest image; shows the plan and asks
  promote promote web 9fceb02              this one. If it is not the newest, the app is then held
  promote promote web --yes --watch        in CI
  promote promote web --yes --json
",
    exits!()
);

pub(super) const APPROVE: &str = concat!(
    "\
Examples:
  promote approve web                      shows the open request, and asks
  promote approve web 9fceb02
  promote approve web 9fceb02 --yes --watch
",
    exits!()
);

pub(super) const REJECT: &str = concat!(
    "\
Examples:
  promote reject web                       shows the open request, and asks
  promote reject web 9fceb02 --yes
",
    report_exits!()
);

pub(super) const ROLLBACK: &str = concat!(
    "\
Examples:
  promote rollback web --watch                       the image before; shows it and asks
  promote rollback web 9fceb02                       this image
  promote rollback web --yes --reason 'login fails'
",
    exits!()
);

pub(super) const CANCEL: &str = concat!(
    "\
Examples:
  promote cancel web --watch
  promote cancel web --yes
",
    exits!()
);

pub(super) const HOLD: &str = concat!(
    "\
Examples:
  promote hold web release freeze
  promote hold web --reason 'release freeze' --yes
",
    report_exits!()
);

pub(super) const RESUME: &str = concat!(
    "\
Examples:
  promote resume web
  promote resume web --yes --watch    follow what then goes out
",
    exits!()
);

pub(super) const ASK: &str = concat!(
    "\
Examples:
  promote ask web
  promote ask web --yes
",
    "
Exit codes: 3 people are asked; else 0 done, 1 failed, 2 refused or typed wrongly, 130 Ctrl-C"
);

pub(super) const RECONCILE: &str = concat!(
    "\
Examples:
  promote reconcile web
  promote reconcile --yes    all apps
",
    exits!()
);

pub(super) const HISTORY: &str = concat!(
    "\
Examples:
  promote history web               the newest page
  promote history web --limit 5
  promote history web --all
  promote history web --all --json  one line of JSON for each page
",
    report_exits!()
);

pub(super) const WHERE: &str = concat!(
    "\
Examples:
  promote where 9fceb02
  promote where 9fceb02 --json
",
    report_exits!()
);

pub(super) const CHECK: &str = concat!(
    "\
Examples:
  promote check        all apps
  promote check web
",
    "
Exit codes: 0 no problem, 1 a problem or failed, 2 refused or typed wrongly, 130 Ctrl-C"
);

pub(super) const AUDIT: &str = concat!(
    "\
Examples:
  promote audit --since 30d
  promote audit web --since 2026-10-01 --until 2026-11-01
  promote audit --since 2026-10-01T08:00:00Z
",
    report_exits!()
);

pub(super) const BOARD: &str = concat!(
    "\
Examples:
  promote board
  promote board --json
",
    report_exits!()
);

pub(super) const COMPLETIONS: &str = "\
Examples:
  promote completions bash
  promote completions zsh
  promote completions fish
  promote completions powershell
  promote completions elvish

Installation:
  bash:        promote completions bash > ~/.local/share/bash-completion/completions/promote
  zsh:         promote completions zsh > \"${fpath[1]}/_promote\"
  fish:        promote completions fish > ~/.config/fish/completions/promote.fish
  powershell:  promote completions powershell >> $PROFILE
  elvish:      promote completions elvish >> ~/.config/elvish/rc.elv";
