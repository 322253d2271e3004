//! A declaration without errors becomes the model.

use crate::declared::{
    DeclaredCached, DeclaredLink, DeclaredProjection, DeclaredReference, DeclaredService, DeclaredStream,
    DeclaredTable, DeclaredView,
};
use crate::history;
use crate::landscape::Landscape;
use crate::model::{
    Api, Auth, Cached, Command, Copy, Follows, Function, Link, Postgres, Projection, Reference, Service, Stream,
    System, Table, View,
};

/// The model; none if something the model needs is absent, which has been reported then.
pub(crate) fn system(landscape: &Landscape<'_>) -> Option<System> {
    let declared = &landscape.system;
    let services = landscape.services.iter().enumerate();
    Some(System {
        name: declared.name.as_ref()?.value.clone(),
        summary: declared.summary.clone(),
        services: services
            .map(|(index, declared_service)| service(declared_service, default_port(declared.port.value, index)))
            .collect::<Option<_>>()?,
        port: declared.port.value,
        postgres: Postgres {
            placement: declared.placement,
            url: declared.url.as_ref().map(|url| url.value.clone()),
        },
        transport: declared.transport,
        workload: declared.workload.as_ref().map(|program| program.value.clone()),
        auth: declared.auth.as_ref().map(|auth| Auth {
            service: auth.service.value.clone(),
            issuer: auth.issuer(declared.name.as_ref().map_or("", |name| &name.value)),
        }),
    })
}

/// The port of the service at `index` if it names none; none past the last port.
pub(crate) fn default_port(system: u16, index: usize) -> Option<u16> {
    system.checked_add(1)?.checked_add(u16::try_from(index).ok()?)
}

/// One service by itself: what other services say of it is not known, and neither is its port unless it names one.
pub(crate) fn alone(declared: &DeclaredService<'_>) -> Option<Service> {
    service(declared, Some(0))
}

fn service(declared: &DeclaredService<'_>, default_port: Option<u16>) -> Option<Service> {
    let mut owns: Vec<Table> = declared.owns.iter().map(table).collect::<Option<_>>()?;
    owns.extend(history::companions(&owns));
    let functions = declared.functions.iter().map(|function| Function {
        name: function.name.value.clone(),
        summary: function.summary.clone(),
        served: function.served.value,
    });
    Some(Service {
        name: declared.name.clone(),
        summary: declared.summary.clone(),
        port: declared.port.as_ref().map(|port| port.value).or(default_port)?,
        publishes: declared.publishes.values(),
        subscribes: declared.subscribes.values(),
        program: declared.program.as_ref().map(|program| program.value.clone()),
        sagas: declared.sagas.values(),
        sends: declared.sends.values(),
        views: declared.views.iter().map(view).collect::<Option<_>>()?,
        streams: declared.streams.iter().map(stream).collect(),
        projections: declared.projections.iter().map(projection).collect(),
        functions: functions.chain(history::functions(&owns)).collect(),
        api: Api {
            origins: declared.origins.values(),
            limits: declared.limits.clone(),
        },
        commands: declared
            .commands
            .iter()
            .map(|command| Command {
                name: command.name.value.clone(),
                from: command.from.values(),
            })
            .collect(),
        owns,
        copies: declared
            .copies
            .iter()
            .map(|copy| {
                Some(Copy {
                    name: copy.name.value.clone(),
                    of: copy.of.as_ref()?.value.clone(),
                    columns: copy.columns.values(),
                })
            })
            .collect::<Option<_>>()?,
    })
}

fn table(declared: &DeclaredTable) -> Option<Table> {
    Some(Table {
        name: declared.name.value.clone(),
        summary: declared.summary.clone(),
        mode: declared.mode.value,
        within: declared.within.as_ref().map(|root| root.value.clone()),
        refs: declared.refs.iter().map(reference).collect::<Option<_>>()?,
        cached: declared.cached.iter().map(cached).collect::<Option<_>>()?,
        publishes: declared.publishes.values(),
        hidden: declared.hidden.values(),
        unguarded: declared.unguarded,
        served: declared.served.value,
        history: declared.history.clone(),
    })
}

fn stream(declared: &DeclaredStream) -> Stream {
    Stream {
        name: declared.name.value.clone(),
        summary: declared.summary.clone(),
        events: declared.events.values(),
        audience: declared.audience,
    }
}

fn projection(declared: &DeclaredProjection) -> Projection {
    Projection {
        name: declared.name.value.clone(),
        summary: declared.summary.clone(),
        tables: declared.tables.values(),
        follows: match declared.topics.items.is_empty() {
            true => Follows::Streams(declared.streams.values()),
            false => Follows::Topics(declared.topics.values()),
        },
        timing: declared.timing.value,
        fold: declared.fold.as_ref().map(|fold| fold.value.clone()),
    }
}

fn view(declared: &DeclaredView) -> Option<View> {
    let link = |link: &DeclaredLink| {
        let to = &link.to.as_ref()?.value;
        Some(Link {
            column: link.column.value.clone(),
            table: to.table.clone(),
            to: to.column.clone(),
        })
    };
    Some(View {
        name: declared.name.value.clone(),
        summary: declared.summary.clone(),
        key: declared.key.values(),
        links: declared.links.iter().map(link).collect::<Option<_>>()?,
        hidden: declared.hidden.values(),
        served: declared.served.value,
    })
}

fn reference(declared: &DeclaredReference) -> Option<Reference> {
    Some(Reference {
        column: declared.column.value.clone(),
        to: declared.to.as_ref()?.value.clone(),
        on_delete: declared.on_delete.value,
        check: declared.check.value,
    })
}

fn cached(declared: &DeclaredCached) -> Option<Cached> {
    let from = &declared.from.as_ref()?.value;
    Some(Cached {
        column: declared.column.value.clone(),
        reference: from.reference.clone(),
        source: from.source.clone(),
        refresh: declared.refresh.value,
    })
}
