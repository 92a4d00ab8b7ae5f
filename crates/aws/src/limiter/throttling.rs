//! Notices every throttled attempt, also those that the SDK hides because the next one worked.

use std::sync::Arc;

use aws_smithy_runtime::client::retries::classifiers::run_classifiers_on_ctx;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::retries::classifiers::RetryAction;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::Ticket;

tokio::task_local! {
    /// The call for which requests are made in this task.
    static CALL: Arc<Ticket>;
}

/// Makes requests for a call, which learns when one of them is throttled.
pub(super) async fn noticed_by<T>(ticket: Arc<Ticket>, requests: impl Future<Output = T>) -> T {
    CALL.scope(ticket, requests).await
}

/// Part of each client of a target.
#[derive(Debug)]
pub struct NoticeThrottling;

#[dyn_dispatch_hint]
impl Intercept for NoticeThrottling {
    fn name(&self) -> &'static str {
        "notice throttling"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if !matches!(context.output_or_error(), Some(Err(_))) {
            return Ok(());
        }
        // A client may refuse to try again by itself, so that its judgement alone does not tell.
        let busy = context.response().is_some_and(|response| [429, 503].contains(&response.status().as_u16()));
        let throttling = RetryAction::throttling_error();
        if busy || run_classifiers_on_ctx(components.retry_classifiers(), context.inner()) == throttling {
            // Who made the request need not be limited.
            let _ = CALL.try_with(|call| call.throttled());
        }
        Ok(())
    }
}
