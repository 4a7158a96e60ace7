"""How a page looks: light and dark by the reader's setting, and on paper. Nothing is loaded from anywhere."""

from __future__ import annotations

# The colours of outcomes (Okabe and Ito) are told apart by colour-blind readers as well, and are never alone.
CSS = """
:root { color-scheme: light dark;
  --page: #f6f5f1; --card: #fffefb; --ink: #1d2330; --soft: #626a7a; --line: #e2dfd6; --track: #eceae3;
  --ok: #0b8f6a; --missing: #e0a100; --failed: #d0521b; --rejected: #b05c98; --skipped: #a3a9b5; --link: #0a5fa8;
  --p0: #3566b8; --p1: #d1813b; --p2: #2e9c8f; --p3: #9a6fb8; --p4: #c2a52c; --p5: #8a909c; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171d; --card: #1c2028; --ink: #e9e7e1; --soft: #9aa3b2; --line: #2e3440; --track: #2a2f3a;
  --ok: #2fbf94; --missing: #e9b93a; --failed: #ee7c49; --rejected: #d28abf; --skipped: #6b7382; --link: #7ab8ef;
  --p0: #6d9bea; --p1: #e6a063; --p2: #4cc0b2; --p3: #bb93d8; --p4: #dcc352; --p5: #7d8492; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3rem; }
a { color: var(--link); }
h1 { font-size: 2.6rem; line-height: 1.1; letter-spacing: -.02em; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; letter-spacing: -.01em; }
h3 { font-size: .95rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .3rem 0; }
.soft, figcaption, caption { color: var(--soft); }
.lead { font-size: 1.1rem; color: var(--soft); margin: .5rem 0 0; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.4rem 1.5rem;
  margin: 1.2rem 0; }
section > p:first-of-type { margin-bottom: 1rem; }
.share { display: flex; align-items: baseline; gap: .8rem; flex-wrap: wrap; margin-bottom: .8rem; }
.share strong { font-size: 3.6rem; line-height: 1; letter-spacing: -.03em; font-weight: 700; }
.bar { display: flex; gap: 2px; height: .8rem; border-radius: 999px; overflow: hidden; background: var(--track); }
.bar.tall { height: 1.4rem; }
.bar i { display: block; min-width: 2px; }
.ok { background: var(--ok); } .missing { background: var(--missing); } .failed { background: var(--failed); }
.rejected { background: var(--rejected); } .skipped { background: var(--skipped); }
ul.key { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0 0; padding: 0; }
ul.key b { font-variant-numeric: tabular-nums; font-size: 1.15rem; }
ul.key i, i.dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 3px; margin-right: .5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, auto));
  gap: .8rem 1.5rem; margin: 1.2rem 0 0; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 7.5rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.n + td:not(.n), .n + th:not(.n) { padding-left: 1.4rem; }
td.wide { width: 42%; min-width: 9rem; }
.sheet { display: grid; gap: 1.3rem; }
.sheet > article + article { border-top: 1px solid var(--line); padding-top: 1.1rem; }
.sheet.alone { grid-template-columns: repeat(auto-fill, minmax(min(100%, 18.5rem), 1fr)); gap: 1.6rem 1.4rem; }
.sheet.alone > article { border: 0; padding: 0; }
.sheet p { font-size: .82rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.sheet h3 { margin-bottom: .3rem; }
.strips { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: .8rem 1.6rem; }
.pair .strips { grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.alone .strips { grid-template-columns: minmax(0, 1fr); }
.strip .soft { white-space: nowrap; }
.row { display: grid; grid-template-columns: repeat(4, 1fr); gap: 5px; }
.row img { width: 100%; }
.alone .row { grid-template-columns: repeat(3, 1fr); }
.row img, .turned img { display: block; aspect-ratio: 1; object-fit: cover; border-radius: 7px;
  background: var(--track); }
.turned img { width: 100%; }
.row img.lacks { border: 2px dashed var(--missing); padding: 1px; }
.parts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1.2rem 1.4rem;
  margin-bottom: 1.2rem; }
.parts h3 { display: flex; align-items: baseline; } .parts h3 i { flex: none; }
.parts p { font-size: .85rem; margin: .2rem 0 .5rem; }
.p0 { --fill: var(--p0); } .p1 { --fill: var(--p1); } .p2 { --fill: var(--p2); } .p3 { --fill: var(--p3); }
.p4 { --fill: var(--p4); } .p5 { --fill: var(--p5); }
i[class^="p"], i.dot[class*=" p"] { background: var(--fill); } i.fill { background: var(--p0); }
ol.bars { list-style: none; margin: 0; padding: 0; columns: 3 17rem; column-gap: 2rem; }
ol.bars li { display: grid; grid-template-columns: minmax(0, 1.3fr) minmax(3rem, 1fr) auto; gap: .7rem;
  align-items: center; break-inside: avoid; font-size: .85rem; padding: .12rem 0; }
ol.bars .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
ol.bars .bar { height: .6rem; }
.beside { display: grid; grid-template-columns: minmax(0, 26rem) minmax(0, 1fr); gap: 1.5rem 2.5rem;
  align-items: center; }
.beside ol.bars { columns: 1; } .beside ol.bars li { grid-template-columns: 6.5rem 1fr 3.2rem; }
svg.columns { height: 4.2rem; margin: 0; }
svg rect.fill { fill: var(--fill); }
svg .grid { stroke: var(--line); fill: none; } svg .square { stroke: var(--soft); stroke-dasharray: 3 5; fill: none; }
svg .spot { fill: var(--p0); fill-opacity: .62; stroke: var(--card); }
svg text { fill: var(--soft); font-size: 11px; } svg .axis { fill: var(--ink); }
dl.rights { grid-template-columns: 1fr; gap: .6rem; margin-top: .4rem; }
dl.rights div { display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: .2rem 1rem; }
section > h3 { margin: 1.2rem 0 .4rem; }
section > pre { margin: 0; padding: .9rem 1rem; border-radius: 9px; background: var(--track);
  font: .82rem/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.turned { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: .82rem; margin-top: .3rem; }
.turned img { object-fit: contain; }
.turned pre { margin: 0; aspect-ratio: 1; overflow: hidden; border-radius: 7px;
  background: var(--track); padding: .5rem;
  font: .66rem/1.35 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; margin-bottom: .9rem; }
svg .ok { fill: var(--ok); } svg .missing { fill: var(--missing); } svg .failed { fill: var(--failed); }
svg .rejected { fill: var(--rejected); } svg .skipped { fill: var(--skipped); }
svg .track { fill: var(--track); }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--soft); }
footer { color: var(--soft); font-size: .85rem; padding-bottom: 3rem; }
@media (max-width: 40rem) { h1 { font-size: 2rem; } .share strong { font-size: 2.8rem; } header { padding-top: 1.5rem; }
  td.wide { min-width: 6rem; }
  main, header, footer { padding-left: .8rem; padding-right: .8rem; } section { padding: 1.1rem 1rem; }
  .beside, dl.rights div { grid-template-columns: minmax(0, 1fr); } }
@media print { :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --track: #eee;
    --ok: #0b8f6a; --missing: #e0a100; --failed: #d0521b; --rejected: #b05c98; --skipped: #a3a9b5;
    --p0: #3566b8; --p1: #d1813b; --p2: #2e9c8f; --p3: #9a6fb8; --p4: #c2a52c; --p5: #8a909c; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  html { font-size: 11px; } body { font-size: 1rem; } header { padding-top: 0; }
  section { padding: .8rem 0; border-width: 1px 0 0; border-radius: 0; }
  section, tr, figure, .sheet > article { break-inside: avoid; } section.long { break-inside: auto; }
  .scroll { overflow: visible; } }
"""
