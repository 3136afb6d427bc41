//! Verifies that ECS runs what CloudFormation has deployed, and notices when it runs something
//! else later. CONTRACT: 6.16.

use super::adopt::is_urgent;
use super::draft::{Draft, Pace};
use super::plan::{Decided, First};
use super::send::accepted;
use crate::model::Digest;
use crate::model::answer::Outcome;
use crate::model::approval::Progress;
use crate::model::bake::Bake;
use crate::model::ecs::Service;
use crate::model::ecs::known::KnownServices;
use crate::model::ecs::name_of;
use crate::model::ecs::verdict::{Verdict, Wanted, judge, why_it_stopped};
use crate::model::image::ConfigLocation;
use crate::model::limits::kept_reason;
use crate::model::notice::Notice;
use crate::model::promotion::{Basis, End, Promotion};
use crate::model::stack::Phase;
use crate::model::unread::Unread;
use crate::model::verification::Verification;
use crate::world::snapshot::{Question, ServicesWanted};

const DONE: &str = "CloudFormation finished the update";

/// Notes that CloudFormation has finished a promotion: it is verified from now on, or, where the
/// stack does not name its tag any more or nothing is to be verified, it is deployed.
pub(super) fn finished(draft: &mut Draft<'_>, open: &Promotion) {
    say_why(draft, open);
    replace_verified(draft);
    let is_named = draft.stack.phase() == Phase::AtRest && draft.value() == open.tag.as_str();
    match draft.app.config.verify.minutes.filter(|_| is_named) {
        Some(minutes) => {
            draft.state.verify(open, minutes, draft.now);
            // The update may have made other services. What is known tells of those that have no
            // task just now.
            let known = draft.state.services.take();
            draft.state.services =
                known.map(|known| KnownServices { as_of: None, has_failed: false, ..known });
            show(draft, open);
        }
        None => {
            draft.state.services = None;
            deployed(draft, open, DONE.to_owned());
        }
    }
}

/// Tells why a promotion was begun, if its sandbox died before it could: nothing else tells of what
/// an alarm took back.
pub(super) fn say_why(draft: &mut Draft<'_>, open: &Promotion) {
    if open.why.is_some() && open.accepted_at.is_none() {
        let reason = accepted(open, &draft.app.config);
        draft.announce(open.notice(Outcome::Promoted, reason, draft.now));
    }
}

/// Ends the promotion that is being verified, since another one has taken its place. Nobody is
/// told: that is told of the other one.
fn replace_verified(draft: &mut Draft<'_>) {
    if let Some(verifying) = draft.state.verifying.clone() {
        let reason = "another promotion replaced it before ECS was seen to run it";
        draft.end(&verifying.promotion, End::Superseded, reason);
    }
    draft.state.end_bake();
}

fn deployed(draft: &mut Draft<'_>, promotion: &Promotion, reason: String) {
    draft.end(promotion, End::Deployed, reason.clone());
    let mut notice = promotion.notice(Outcome::Deployed, reason, draft.now);
    notice.took_seconds = Some(draft.now.duration_since(promotion.at).as_secs());
    draft.announce(notice);
    name_way_back(draft, promotion);
    begin_bake(draft, promotion);
}

/// Names in the request what a rollback of its promotion would go back to.
fn name_way_back(draft: &mut Draft<'_>, promotion: &Promotion) {
    let request = promotion.request.as_ref().and_then(|id| draft.state.request_mut(id));
    if let Some(request) = request.filter(|_| promotion.rolls_back.is_none()) {
        request.way_back.clone_from(&promotion.previous_digest);
        request.way_back_commit.clone_from(&promotion.previous_commit);
    }
}

/// Begins to watch the alarms. A rollback has no bake, so that no rollback is rolled back.
fn begin_bake(draft: &mut Draft<'_>, promotion: &Promotion) {
    let goes_forward = promotion.rolls_back.is_none()
        && !matches!(promotion.basis(), Basis::GoingBack | Basis::Undoing);
    let rule = draft.app.config.bake.as_ref().filter(|_| goes_forward);
    draft.state.bake = rule.map(|rule| Bake::begin(promotion, rule.minutes, draft.now));
}

/// Shows in the message of its request how far a promotion has come.
fn show(draft: &mut Draft<'_>, promotion: &Promotion) {
    let Some(verifying) = &draft.state.verifying else { return };
    let progress = Progress::Verifying(verifying.progress.clone());
    if let Some(request) = promotion.request.as_ref().and_then(|id| draft.state.request_mut(id)) {
        request.progress = progress;
    }
}

/// Asks ECS how far the promotion has come, and ends its verification if that is known.
pub(super) fn verify(draft: &mut Draft<'_>) -> Decided<()> {
    let Some(verifying) = draft.state.verifying.clone() else { return Ok(()) };
    let promotion = verifying.promotion.clone();
    if draft.value() != promotion.tag.as_str() {
        let reason = format!("the stack names `{}` now", draft.value());
        draft.end(&promotion, End::Superseded, reason);
        return Ok(());
    }
    if draft.app.config.verify.minutes.is_none() {
        draft.state.services = None;
        deployed(draft, &promotion, DONE.to_owned());
        return Ok(());
    }
    if !may_ask(draft)? {
        return Ok(());
    }
    match services(draft, true)? {
        Ok(services) => judged(draft, verifying, services),
        Err(unread) => {
            unverified(draft, verifying, unread);
            Ok(())
        }
    }
}

fn judged(draft: &mut Draft<'_>, mut verifying: Verification, services: &[Service]) -> Decided<()> {
    let promotion = verifying.promotion.clone();
    let digests = digests_of(draft, &promotion.digest, services)?;
    let wanted = Wanted { digests: &digests, tag: promotion.tag.as_str() };
    let (progress, may_last) = match judge(services, wanted) {
        Verdict::Running { progress } => {
            remember(draft, services, wanted);
            deployed(draft, &promotion, format!("{DONE}, and ECS runs it: {progress}"));
            return Ok(());
        }
        Verdict::NextTask => {
            remember(draft, services, wanted);
            let reason =
                format!("{DONE}; no ECS service has a task to run it now: the next task uses it");
            deployed(draft, &promotion, reason);
            return Ok(());
        }
        Verdict::Failed { words } => return given_up(draft, &promotion, services, wanted, &words),
        Verdict::NotYet { progress, may_last } => (progress, may_last),
        Verdict::Elsewhere { progress } => (progress, false),
    };
    // Events of a service that this update made are heard from now on.
    remember(draft, services, wanted);
    verifying.note(&progress, may_last, draft.now);
    if verifying.is_over(draft.now) {
        let waited = draft.now.duration_since(verifying.since).as_mins();
        let words = format!("after {waited} minutes, {progress}");
        return given_up(draft, &promotion, services, wanted, &words);
    }
    draft.state.verifying = Some(verifying);
    show(draft, &promotion);
    Ok(())
}

/// Ends a promotion as failed that CloudFormation finished and ECS did not.
fn given_up(
    draft: &mut Draft<'_>,
    promotion: &Promotion,
    services: &[Service],
    wanted: Wanted<'_>,
    words: &str,
) -> Decided<()> {
    let stopped =
        stopped(draft, services, wanted)?.map_or_else(String::new, |why| format!(". {why}"));
    remember(draft, services, wanted);
    if let Some(known) = &mut draft.state.services {
        known.has_failed = true;
    }
    let reason = format!(
        "{DONE}, but ECS does not run the image: {words}{stopped}. The stack still names `{}`: \
         `rollback {}` goes back to what ran before",
        promotion.tag, draft.app.name
    );
    draft.end(promotion, End::Failed, reason.clone());
    name_way_back(draft, promotion);
    draft.announce(promotion.notice(Outcome::Failed, reason, draft.now));
    Ok(())
}

/// ECS could not be read. That is no failure of the promotion: once ECS has had its time,
/// CloudFormation's word counts.
fn unverified(draft: &mut Draft<'_>, mut verifying: Verification, unread: &Unread) {
    let promotion = verifying.promotion.clone();
    if verifying.is_over(draft.now) {
        draft.state.services = None;
        deployed(draft, &promotion, format!("{DONE}; not verified: {}", unread.words));
        return;
    }
    verifying.cannot_be_read(draft.now);
    let problem = Some(kept_reason(&unread.words));
    if verifying.problem != problem {
        draft.unread = Some(unread.words.clone());
    }
    verifying.problem = problem;
    draft.state.verifying = Some(verifying);
}

/// Whether there is time to ask ECS: a person in Slack waits three seconds, and a push that goes
/// out does not wait at all.
fn may_ask(draft: &Draft<'_>) -> Decided<bool> {
    Ok(match draft.pace {
        Pace::Script | Pace::Routine => true,
        Pace::Person => false,
        Pace::Push => !is_urgent(draft)?,
    })
}

/// The stack's services that run the app's images; asks for them if they were not read.
fn services<'a>(
    draft: &Draft<'a>,
    with_deployments: bool,
) -> Decided<Result<&'a [Service], &'a Unread>> {
    if let Some(unread) = &draft.seen.learned.unread_services {
        return Ok(Err(unread));
    }
    match &draft.seen.services {
        Some(services) => Ok(services.as_deref()),
        None => {
            let known = draft.state.services.clone().unwrap_or_default();
            Err(First::Read(Question::Services(ServicesWanted { known, with_deployments })))
        }
    }
}

/// Says why the last task of the image stopped, if ECS says so.
fn stopped(draft: &Draft<'_>, services: &[Service], wanted: Wanted<'_>) -> Decided<Option<String>> {
    if services.is_empty() {
        return Ok(None);
    }
    let arns = || services.iter().map(|service| service.arn.clone()).collect();
    let stopped = draft.seen.stopped.as_ref();
    let stopped = stopped.ok_or_else(|| First::Read(Question::StoppedTasks(arns())))?;
    Ok(why_it_stopped(stopped, wanted))
}

/// The image's digest and those of the images of its index. The manifest is read only if ECS shows
/// another digest than the image's own.
fn digests_of(draft: &Draft<'_>, digest: &Digest, services: &[Service]) -> Decided<Vec<Digest>> {
    let workloads = services.iter().flat_map(|service| {
        let deployment = service.deployment.iter();
        let deployed = deployment.flat_map(|one| [&one.target].into_iter().chain(&one.back_to));
        service.workloads.iter().chain(deployed)
    });
    let mut shown =
        workloads.flat_map(|workload| &workload.images).filter_map(|i| i.digest.as_ref());
    let mut digests = vec![digest.clone()];
    if shown.any(|shown| shown != digest) {
        match draft.seen.images.get(digest) {
            None => return Err(First::Read(Question::Image(digest.clone()))),
            Some(Ok(image)) => {
                if let ConfigLocation::Platforms(platforms) = &image.config {
                    digests.extend(platforms.iter().cloned());
                }
            }
            Some(Err(_)) => {}
        }
    }
    Ok(digests)
}

/// Remembers what the services run, measured by what is promoted now.
fn remember(draft: &mut Draft<'_>, services: &[Service], wanted: Wanted<'_>) {
    let nothing = KnownServices::default();
    draft.state.services = Some(nothing.seen(draft.stack.updated_at, services, wanted));
}

/// Adds ECS's words to CloudFormation's reason for a failed update, where CloudFormation waited for
/// a service in vain.
pub(super) fn reason_of_failure(
    draft: &Draft<'_>,
    promotion: &Promotion,
    reason: &str,
) -> Decided<String> {
    let is_asked = may_ask(draft)? && draft.app.config.verify.minutes.is_some();
    if !is_asked || promotion.cancelled_by.is_some() {
        return Ok(reason.to_owned());
    }
    let Ok(services) = services(draft, true)? else { return Ok(reason.to_owned()) };
    let digests = digests_of(draft, &promotion.digest, services)?;
    let wanted = Wanted { digests: &digests, tag: promotion.tag.as_str() };
    let verdict = match judge(services, wanted) {
        Verdict::Failed { words } => Some(words),
        Verdict::Running { .. } | Verdict::NextTask => None,
        Verdict::NotYet { .. } | Verdict::Elsewhere { .. } => None,
    };
    let words: Vec<String> = verdict.into_iter().chain(stopped(draft, services, wanted)?).collect();
    if words.is_empty() {
        return Ok(reason.to_owned());
    }
    Ok(format!("{reason}. ECS says: {}", words.join("; ")))
}

/// Compares what the services run with what the stack names: somebody may have deployed another
/// image to ECS. Each change is told once.
pub(super) fn compare(draft: &mut Draft<'_>) -> Decided<()> {
    let is_quiet = draft.stack.phase() == Phase::AtRest
        && draft.pace == Pace::Routine
        && draft.state.open.is_empty()
        && draft.state.verifying.is_none()
        && !draft.is_first_sight
        && draft.app.config.verify.minutes.is_some();
    let running = draft.state.running.clone().filter(|running| running.tag == draft.value());
    let Some((running, digest)) = running.and_then(|it| Some((it.clone(), it.digest?))) else {
        return Ok(());
    };
    if !is_quiet {
        return Ok(());
    }
    let Ok(services) = services(draft, false)? else { return Ok(()) };
    let before = draft.state.services.clone().unwrap_or_default();
    let is_news = |service: &&Service| before.has_failed || !before.has_seen(service);
    let new: Vec<Service> = services.iter().filter(is_news).cloned().collect();
    let digests = digests_of(draft, &digest, &new)?;
    let wanted = Wanted { digests: &digests, tag: &running.tag };
    let mut now = before.seen(draft.stack.updated_at, services, wanted);
    if before.has_failed
        && let Verdict::Running { progress } = judge(services, wanted)
    {
        now.has_failed = false;
        let reason = format!(
            "ECS has come to run the image of `{}` after its promotion had failed: {progress}",
            running.tag
        );
        let notice = Notice::new(Outcome::Unchanged, "schedule", reason, draft.now);
        draft.announce(notice.about("ECS runs the image after all"));
    }
    tell_of_changes(draft, &before, &now, &running.tag);
    draft.state.services = Some(now);
    Ok(())
}

fn tell_of_changes(draft: &mut Draft<'_>, before: &KnownServices, now: &KnownServices, tag: &str) {
    for service in &now.list {
        let known = before.list.iter().find(|known| known.arn == service.arn);
        let is_same = known.is_some_and(|known| known.digest == service.digest);
        // After a failure, ECS itself goes back, or comes to run the image after all.
        if before.has_failed && (service.is_promoted || known.is_none_or(|it| it.digest.is_none()))
        {
            continue;
        }
        let was_promoted = known.is_none_or(|known| known.is_promoted || known.digest.is_none());
        // What was not seen before has not changed. The board shows it.
        let is_change = known.is_some() && !is_same;
        let Some(digest) = service.digest.as_ref().filter(|_| is_change) else { continue };
        let name = name_of(&service.arn);
        let reason = if !service.is_promoted {
            format!(
                "ECS service `{name}` runs {digest}, not the image of `{tag}` that the stack \
                 names: somebody deployed it to ECS (CloudTrail shows who)"
            )
        } else if !was_promoted {
            format!("ECS service `{name}` runs the image of `{tag}` now, as the stack says")
        } else {
            continue;
        };
        let about = if service.is_promoted {
            "ECS runs what the stack names again"
        } else {
            "ECS runs another image than the stack names"
        };
        let notice = Notice::new(Outcome::Unchanged, "schedule", reason, draft.now);
        draft.announce(notice.about(about));
    }
}
