//! A flame graph as one HTML page: boxes in boxes, as wide as their time. No script, no font, nothing from elsewhere.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Frame, Part, Profiled};

/// 0.1 % of the width is less than a pixel on most screens.
const NARROWEST: f64 = 0.001;

/// 3 % of the width is some four letters: less says nothing. Who rests on the box reads it all.
const NARROWEST_LABEL: f64 = 0.03;

/// 200 functions deep is more than fits a screen.
const MOST_ROWS: usize = 200;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d1d22; --paper: #fbfaf7; --line: #d8d5cc }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e7e1; --paper: #18181c; --line: #3a3a42 } }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1.5rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.4rem; margin: 0 }
p { margin: .3rem 0 1.2rem }
.graph { border: 1px solid var(--line); border-radius: 4px; padding: 2px; overflow-x: auto }
.frame { min-width: 0; box-sizing: border-box; flex: none }
.label { display: block; height: 1.55em; margin: 1px; padding: 0 .4em; border-radius: 2px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; font-size: 12px; line-height: 1.55em; color: #1d1d22 }
.row { display: flex }
.engine { background: #b9c7dc } .others { background: #d5d3cd } .transport { background: #f0cf8e } .guest { background: #ef9a7a }
.label:hover { outline: 2px solid var(--ink) }
.key span { display: inline-block; padding: 0 .6em; margin: 0 .5em .3em 0; border-radius: 2px; font-size: 13px; color: #1d1d22 }
table { border-collapse: collapse; margin-top: 1.5rem; font-variant-numeric: tabular-nums; font-size: 14px }
th, td { padding: .2rem 1rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line) }
td.n, th.n { text-align: right }
";

/// The page.
pub fn page(profiled: &Profiled) -> String {
    let title = escape(&format!("{} in {}", profiled.plugin, profiled.workflow));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    let runs = if profiled.runs == 1 { "1 run".to_owned() } else { format!("{} runs", profiled.runs) };
    let all = time(profiled.root.time);
    write(&mut html, format_args!("<p>{runs}, {all} together. {}", seen(profiled)));
    html.push_str("A box is as wide as its time; what is below it happened in it. Rest on a box to read it.</p>\n");
    html.push_str(&key(&profiled.root));
    html.push_str("<div class=\"graph\">");
    frame(&mut html, &profiled.root, &profiled.root, 100.0, 0);
    html.push_str("</div>\n");
    html.push_str(&table(&profiled.root));
    html.push_str("</html>\n");
    html
}

/// How the plugin's code was looked at.
fn seen(profiled: &Profiled) -> String {
    match profiled.samples {
        0 => "Inside the plugin, the time of its process on the processor is known, if it has one. ".to_owned(),
        1 => "The plugin's code was seen once. ".to_owned(),
        samples => format!("The plugin's code was seen {samples} times. "),
    }
}

/// What the colours mean, with the time of each by itself.
fn key(root: &Frame) -> String {
    let mut own = Vec::new();
    collect(root, &mut own);
    let all = root.time.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut html = "<p class=\"key\">".to_owned();
    for (part, what) in [
        (Part::Engine, "engine: steps, templates, built-in nodes"),
        (Part::Transport, "transport: values as texts, waiting"),
        (Part::Guest, "the plugin's own code"),
        (Part::Others, "other plugins"),
    ] {
        let alone: Duration = own.iter().filter(|(_, of, _)| *of == part).map(|(_, _, time)| *time).sum();
        if part == Part::Others && alone.is_zero() {
            continue;
        }
        let share = alone.as_secs_f64() / all * 100.0;
        let word = part.word();
        write(&mut html, format_args!("<span class=\"{word}\">{what} &ndash; {}, {share:.1}%</span>", time(alone)));
    }
    html + "</p>\n"
}

/// A box and what is in it; `width` is in percent of the box around it.
fn frame(html: &mut String, one: &Frame, root: &Frame, width: f64, depth: usize) {
    let all = root.time.as_secs_f64().max(f64::MIN_POSITIVE);
    let share = one.time.as_secs_f64() / all;
    let label = escape(&one.label);
    let shown = if share < NARROWEST_LABEL { "" } else { label.as_str() };
    let tip = format!("{label}: {}, {:.1}% of all, {} times", time(one.time), share * 100.0, one.count);
    write(
        html,
        format_args!(
            "<div class=\"frame\" style=\"width:{width:.3}%\"><span class=\"label {}\" title=\"{tip}\">{shown}</span>",
            one.part.word()
        ),
    );
    if depth < MOST_ROWS {
        let own = one.time.as_secs_f64().max(f64::MIN_POSITIVE);
        let shown: Vec<&Frame> =
            one.children.iter().filter(|child| child.time.as_secs_f64() / all >= NARROWEST).collect();
        if !shown.is_empty() {
            html.push_str("<div class=\"row\">");
            shown.iter().for_each(|child| frame(html, child, root, child.time.as_secs_f64() / own * 100.0, depth + 1));
            html.push_str("</div>");
        }
    }
    html.push_str("</div>");
}

/// What took longest by itself, without what happened in it.
fn table(root: &Frame) -> String {
    let mut own = Vec::new();
    collect(root, &mut own);
    own.sort_by_key(|(_, _, time)| std::cmp::Reverse(*time));
    let mut html = "<table>\n<tr><th>What<th>Part<th class=\"n\">Own time<th class=\"n\">Share</tr>\n".to_owned();
    let all = root.time.as_secs_f64().max(f64::MIN_POSITIVE);
    for (label, part, time_alone) in own.into_iter().take(20) {
        let (label, part, share) = (escape(label), part.word(), time_alone.as_secs_f64() / all * 100.0);
        let shown = time(time_alone);
        write(
            &mut html,
            format_args!("<tr><td>{label}<td>{part}<td class=\"n\">{shown}<td class=\"n\">{share:.1}%</tr>\n"),
        );
    }
    html.push_str("</table>\n");
    if root.has_nameless() {
        html.push_str("<p>Functions with numbers have no names in the module: build it with names (`debug` or `strip = false`) to see them.</p>\n");
    }
    html
}

fn collect<'f>(frame: &'f Frame, own: &mut Vec<(&'f str, Part, Duration)>) {
    let inside: Duration = frame.children.iter().map(|child| child.time).sum();
    let alone = frame.time.saturating_sub(inside);
    match own.iter_mut().find(|(label, part, _)| *label == frame.label && *part == frame.part) {
        Some((_, _, sum)) => *sum += alone,
        None => own.push((&frame.label, frame.part, alone)),
    }
    frame.children.iter().for_each(|child| collect(child, own));
}

fn time(time: Duration) -> String {
    format!("{time:.1?}")
}

fn write(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("a text takes every line");
}

/// A plugin names its functions as it likes: none of that becomes part of the page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(label: &str, millis: u64) -> Frame {
        let time = Duration::from_millis(millis);
        Frame { label: label.to_owned(), part: Part::Guest, time, count: 1, children: Vec::new() }
    }

    #[test]
    fn names_cannot_become_part_of_the_page() {
        let root = Frame { children: vec![leaf("<script>alert(\"x\")</script>", 5)], ..leaf("all", 10) };
        let plugin = "ours".parse().expect("a name");
        let html = page(&Profiled { plugin, workflow: "<w>".to_owned(), runs: 1, root, samples: 3 });
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;") && html.contains("ours in &lt;w&gt;"));
    }

    #[test]
    fn a_box_is_as_wide_as_its_share_and_specks_are_left_out() {
        let root = Frame { children: vec![leaf("half", 5_000), leaf("speck", 1)], ..leaf("all", 10_000) };
        let mut html = String::new();
        frame(&mut html, &root, &root, 100.0, 0);
        assert!(
            html.contains("style=\"width:50.000%\"><span class=\"label guest\" title=\"half: 5.0s, 50.0% of all"),
            "{html}"
        );
        assert!(!html.contains("speck"));
    }
}
