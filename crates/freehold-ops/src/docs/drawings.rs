//! The three drawings.

use freehold_manifest::model::{Mode, Placement, Service, System, Table, TableName};
use freehold_manifest::names::Names;

use super::canvas::{Area, Canvas, LINE, Look, PAD, box_height, box_width, width};
use super::mermaid::place;
use super::topics::{self, Topic};

/// Space between boxes, in pixels.
const GAP: f32 = 28.0;
/// Space between columns that arrows cross, in pixels.
const WIDE: f32 = 130.0;
/// Where a drawing begins, in pixels.
const EDGE: f32 = 12.0;

/// Services above, each with the one database that it can open below.
pub(super) fn databases(system: &System) -> String {
    let mut canvas = Canvas::default();
    let top = EDGE + box_height(2) + 2.0 * GAP + PAD;
    let most = system.services.iter().map(|s| s.owns.len() + s.copies.len()).max();
    let tall = box_height(most.unwrap_or_default() + 1) + 2.0 * PAD;
    let mut x = EDGE + PAD;
    for service in &system.services {
        let names = Names::of(system, service);
        let (name, _) = place(system, &names);
        let runs = service.program.clone().unwrap_or_else(|| "freehold serve".to_owned());
        let head = vec![service.name.clone(), runs];
        let body = contents(service, &name);
        let wide = box_width(head.iter().chain(&body).map(String::as_str)).max(width(&names.app) + 3.0 * PAD);
        let above = Area {
            x,
            y: EDGE,
            width: wide,
            height: box_height(2),
        };
        let below = Area {
            x,
            y: top,
            width: wide,
            height: tall,
        };
        canvas.card(above, Look::Plain, &head);
        canvas.arrow_down(x + 2.0 * PAD, above.bottom(), below.y);
        canvas.word(x + 3.0 * PAD, above.bottom() + GAP, &names.app);
        canvas.cylinder(below, &body);
        x = below.right() + GAP;
    }
    let around = Area {
        x: EDGE,
        y: top - PAD,
        width: x - GAP + PAD - EDGE,
        height: tall + 2.0 * PAD + LINE,
    };
    if system.postgres.placement != Placement::Server {
        canvas.frame(around, Look::Around);
    }
    let words = match system.services.first() {
        Some(first) => place(system, &Names::of(system, first)).1,
        None => String::new(),
    };
    let legend = format!("{words} · = append-only · + folded from events · ~ copy");
    canvas.word(EDGE + PAD, around.bottom() - 8.0, &legend);
    canvas.finish(&format!("{}: services and their databases", system.name))
}

/// What a database holds: owned tables, then copies.
fn contents(service: &Service, name: &str) -> Vec<String> {
    let mut lines = vec![name.to_owned()];
    lines.extend(service.owns.iter().map(|table| match table.mode {
        Mode::ReadWrite => table.name.clone(),
        Mode::AppendOnly => format!("= {}", table.name),
        Mode::Projection => format!("+ {}", table.name),
    }));
    lines.extend(
        service
            .copies
            .iter()
            .map(|copy| format!("~ {} of {}", copy.name, copy.of.service)),
    );
    lines
}

/// Speakers on the left, topics in the middle, hearers on the right.
pub(super) fn events(system: &System) -> String {
    let mut canvas = Canvas::default();
    let topics = topics::of(system);
    let label = |topic: &Topic| format!("{} ({})", topic.name, topic.sort.word());
    let left = column(system);
    let middle = topics.iter().map(|topic| width(&label(topic))).fold(0.0, f32::max) + 2.0 * PAD;
    let (middle_x, right_x) = (EDGE + left + WIDE, EDGE + left + middle + 2.0 * WIDE);
    let row = box_height(1) + PAD;
    let hearing: Vec<&Service> = system
        .services
        .iter()
        .filter(|service| {
            topics
                .iter()
                .any(|t| t.hearers.iter().any(|h| h.service == service.name))
        })
        .collect();
    let step = even(&topics, hearing.len(), row);
    let hearers: Vec<(&str, Area)> = (0_u16..)
        .zip(&hearing)
        .map(|(index, service)| {
            let y = EDGE + step * f32::from(index) + (step - box_height(1)) / 2.0;
            let at = Area {
                x: right_x,
                y,
                width: left,
                height: box_height(1),
            };
            canvas.card(at, Look::Plain, std::slice::from_ref(&service.name));
            (service.name.as_str(), at)
        })
        .collect();
    let mut y = EDGE;
    for service in &system.services {
        let own: Vec<&Topic> = topics.iter().filter(|topic| topic.speaker == service.name).collect();
        if own.is_empty() {
            continue;
        }
        let tall = row * f32::from(u16::try_from(own.len()).unwrap_or(u16::MAX)) - PAD;
        let speaker = Area {
            x: EDGE,
            y,
            width: left,
            height: tall,
        };
        canvas.card(speaker, Look::Plain, std::slice::from_ref(&service.name));
        for topic in own {
            let at = Area {
                x: middle_x,
                y,
                width: middle,
                height: box_height(1),
            };
            canvas.arrow((speaker.right(), at.middle()), (at.x, at.middle()));
            canvas.card(at, Look::Fixed, &[label(topic)]);
            let heard = hearers
                .iter()
                .filter(|(name, _)| topic.hearers.iter().any(|h| h.service == *name));
            for (_, to) in heard {
                canvas.arrow((at.right(), at.middle()), (to.x, to.middle()));
            }
            y += row;
        }
    }
    canvas.finish(&format!("{}: who speaks on which topic, and who hears it", system.name))
}

/// The distance between hearers that spreads them beside the topics.
fn even(topics: &[Topic], hearers: usize, row: f32) -> f32 {
    let of = |count: usize| f32::from(u16::try_from(count).unwrap_or(u16::MAX));
    (of(topics.len()) * row / of(hearers.max(1))).max(row)
}

/// The width of a box with a service's name.
fn column(system: &System) -> f32 {
    box_width(system.services.iter().map(|service| service.name.as_str())).max(90.0)
}

/// A band per service: rows that change, what never changes, what others derive from it.
pub(super) fn flows(system: &System) -> String {
    let mut canvas = Canvas::default();
    let bands: Vec<[Vec<String>; 3]> = system.services.iter().map(|service| band(system, service)).collect();
    let wide = |at: usize| {
        let lines = bands.iter().flat_map(|band| band[at].iter().map(String::as_str));
        box_width(lines).max(150.0)
    };
    let widths = [wide(0), wide(1), wide(2)];
    let xs = [EDGE, EDGE + widths[0] + WIDE, EDGE + widths[0] + widths[1] + 2.0 * WIDE];
    let mut y = EDGE + LINE;
    for (x, title) in xs.into_iter().zip(["mutable", "immutable", "derived, elsewhere"]) {
        canvas.word(x, EDGE + 6.0, title);
    }
    for band in &bands {
        let tall = band.iter().map(|lines| box_height(lines.len())).fold(0.0, f32::max);
        let areas: Vec<Area> = xs
            .into_iter()
            .zip(widths)
            .map(|(x, width)| Area {
                x,
                y,
                width,
                height: tall,
            })
            .collect();
        for ((area, look), lines) in areas.iter().zip([Look::Mutable, Look::Fixed, Look::Derived]).zip(band) {
            if !lines.is_empty() {
                canvas.card(*area, look, lines);
            }
        }
        for ((from, to), words) in [(0, 1), (1, 2)].into_iter().zip(["one transaction", "feed"]) {
            if !band[from].is_empty() && !band[to].is_empty() {
                let level = areas[from].middle();
                canvas.arrow((areas[from].right(), level), (areas[to].x, level));
                canvas.word(areas[from].right() + (WIDE - width(words)) / 2.0, level - 6.0, words);
            }
        }
        y += tall + GAP;
    }
    canvas.finish(&format!(
        "{}: mutable rows, immutable messages, derived copies",
        system.name
    ))
}

/// The three boxes of a service; an empty one is not drawn.
fn band(system: &System, service: &Service) -> [Vec<String>; 3] {
    let mutable = service.owns.iter().filter(|table| table.mode == Mode::ReadWrite);
    let mutable: Vec<String> = mutable.map(|table| table.name.clone()).collect();
    let fixed = service.owns.iter().filter(|table| table.mode == Mode::AppendOnly);
    let mut immutable: Vec<String> = fixed.map(|table| format!("table {}", table.name)).collect();
    immutable.extend(service.streams.iter().map(|stream| format!("stream {}", stream.name)));
    immutable.extend(service.topics().iter().map(|topic| format!("topic {topic}")));
    let derived: Vec<String> = service
        .owns
        .iter()
        .flat_map(|table| derived(system, service, table))
        .collect();
    let titled = |title: String, lines: Vec<String>| match lines.is_empty() {
        true => Vec::new(),
        false => std::iter::once(title).chain(lines).collect(),
    };
    [
        titled(format!("{}: rows", service.name), mutable),
        titled(format!("{}: log and append-only", service.name), immutable),
        titled(format!("of {}", service.name), derived),
    ]
}

/// What others hold of a table: copies and cached columns.
fn derived(system: &System, owner: &Service, table: &Table) -> Vec<String> {
    let of = TableName {
        service: owner.name.clone(),
        table: table.name.clone(),
    };
    let others = system.services.iter().filter(|other| other.name != owner.name);
    let mut found = Vec::new();
    for other in others {
        found.extend(
            other
                .copy_of(&of)
                .map(|copy| format!("{}: copy {}", other.name, copy.name)),
        );
        for owned in &other.owns {
            for reference in owned.refs.iter().filter(|reference| reference.to == of) {
                let cached = owned
                    .cached
                    .iter()
                    .filter(|cached| cached.reference == reference.column);
                found.extend(cached.map(|cached| format!("{}: {}.{}", other.name, owned.name, cached.column)));
            }
        }
    }
    found
}
