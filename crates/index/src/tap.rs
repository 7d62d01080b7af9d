//! A client that tells the index what its watches hear. The watcher of kube hides what proves that a watch is alive
//! (bookmarks, the beginning and the end of a watch), so it is seen on the wire.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::{Client, client::Body};

use crate::{entry::ResourceKind, freshness::Heard, index::Index};

/// `client`, whose watches are those of `kind`.
pub(crate) fn tapped(client: Client, index: &Arc<Index>, kind: ResourceKind) -> Client {
    let namespace = client.default_namespace().to_owned();
    let tap = Tap {
        client,
        index: Arc::clone(index),
        kind,
    };
    Client::new(tap, namespace)
}

#[derive(Clone)]
struct Tap {
    client: Client,
    index: Arc<Index>,
    kind: ResourceKind,
}

impl tower::Service<Request<Body>> for Tap {
    type Response = Response<Heeded>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Self::Response, kube::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let query = request.uri().query().unwrap_or_default();
            let is_watch = query.split('&').any(|parameter| parameter == "watch=true");
            let response = this.client.send(request).await?;
            let heeds = is_watch && response.status().is_success();
            if heeds {
                this.index.freshness.hear(this.kind, Heard::Began);
            }
            Ok(response.map(|body| Heeded {
                body,
                tap: heeds.then_some(this),
            }))
        })
    }
}

/// The body of a response, which tells what arrives when it is that of a watch.
struct Heeded {
    body: Body,
    tap: Option<Tap>,
}

impl HttpBody for Heeded {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let heard = match &polled {
            Poll::Ready(Some(Ok(_))) => Some(Heard::Event),
            Poll::Ready(None) => Some(Heard::Ended),
            // A connection that broke says nothing.
            Poll::Ready(Some(Err(_))) | Poll::Pending => None,
        };
        if let (Some(heard), Some(tap)) = (heard, &self.tap) {
            tap.index.freshness.hear(tap.kind, heard);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
