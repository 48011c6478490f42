#include "serve/page.h"

#include <stdio.h>
#include <xxhash.h>

/* Colours are for the eye that is quick; each has a word or a shape as well. Contrast of text is 4.5 or more in both. */
const char lp_page_style[] =
    ":root{--paper:#fcfbf8;--ink:#1c2427;--soft:#58646a;--rule:#dedcd4;--wash:#f2f0ea;--accent:#1a6480;--ok:#3b8474;"
    "--partial:#a56300;--failed:#b3261e;--s0:#1a6480;--s1:#b0461f;--s2:#4a7d2c;--s3:#7a4fa3;--s4:#96700c;--s5:#b03a75;"
    "--s6:#2f7f78;--s7:#5c6570;color-scheme:light dark}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#14191c;--ink:#e3e7e7;--soft:#9babb1;--rule:#2e383d;--wash:#1c2327;"
    "--accent:#74c3df;--ok:#62b8a2;--partial:#e2ab4f;--failed:#ff8b82;--s0:#74c3df;--s1:#f0936c;--s2:#9ccc78;--s3:#c3a2ee;"
    "--s4:#ddc05c;--s5:#ee8fbd;--s6:#63c9bd;--s7:#a7b3bb}}\n"
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);"
    "font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"Noto Sans\",Arial,sans-serif;"
    "font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;font-weight:600;line-height:1.25;margin:.25rem 0 .5rem;letter-spacing:-.01em}\n"
    "h2{font-size:1.05rem;font-weight:600;margin:2.5rem 0 .5rem;padding-top:.6rem;border-top:1px solid var(--rule)}\n"
    "p{margin:.25rem 0 .75rem}\n"
    "a{color:var(--accent);text-decoration:underline;text-decoration-thickness:1px;text-underline-offset:.15em}\n"
    "a:hover{text-decoration-thickness:2px}\n"
    ":focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:2px}\n"
    "code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;font-size:.875em}\n"
    "pre{background:var(--wash);padding:.75rem;margin:.5rem 0;white-space:pre-wrap;border-radius:4px}\n"
    ".soft,footer,figcaption,.unit{color:var(--soft)}\n"
    ".back{margin:0;font-size:.9rem}\n"
    "footer{margin-top:3rem;padding-top:.75rem;border-top:1px solid var(--rule);font-size:.875rem}\n"
    "footer p{margin:0}\n"
    ".error{color:var(--failed)}\n"
    ".note{border-left:3px solid var(--partial);padding:.1rem 0 .1rem .75rem}\n"
    ".note.bad{border-color:var(--failed)}\n"
    /* the front page */
    ".pipelines{list-style:none;margin:1.5rem 0 0;padding:0}\n"
    ".pipelines>li{display:grid;grid-template-columns:minmax(0,1fr) 11.25rem 7.5rem;gap:.25rem 1.5rem;align-items:center;"
    "padding:.9rem 0;border-top:1px solid var(--rule)}\n"
    ".pipelines h2{font-size:1.05rem;margin:0;padding:0;border:0;line-height:1.35}\n"
    ".pipelines p{margin:0;font-size:.9rem}\n"
    ".pipelines .last{grid-column:1/-1;margin-top:.25rem}\n"
    ".figure{margin:0;line-height:1}\n"
    ".figure figcaption{font-size:.8rem;line-height:1.4;margin-top:.2rem}\n"
    ".state{display:inline-flex;align-items:center;gap:.3em;font-weight:600;white-space:nowrap}\n"
    /* drawings */
    "svg{display:block;overflow:visible}\n"
    ".mark{flex:none;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}\n"
    ".mark .fine{stroke-width:1.4}\n"
    "svg.mark.running{fill:currentColor}\n"
    ".is-ok,.mark.ok{color:var(--ok)}.is-partial,.mark.partial,.is-missed,.mark.missed{color:var(--partial)}"
    ".is-failed,.mark.failed,.is-fault,.mark.fault{color:var(--failed)}.is-running,.mark.running{color:var(--accent)}"
    ".is-never,.mark.never{color:var(--soft)}\n"
    ".bar.ok{fill:var(--ok)}.bar.partial{fill:var(--partial)}.bar.failed{fill:var(--failed)}.bar.written{fill:var(--accent)}\n"
    ".hollow{fill:none;stroke-width:1.25;vector-effect:non-scaling-stroke}\n"
    ".hollow.partial{stroke:var(--partial)}.hollow.missed{stroke:var(--soft);stroke-dasharray:2 2}\n"
    ".cross{fill:none;stroke:var(--failed);stroke-width:1.5;stroke-linecap:round;vector-effect:non-scaling-stroke}\n"
    ".hit{fill:transparent}\n"
    "a:hover .hit,g:hover>.hit{fill:var(--ink);fill-opacity:.07}\n"
    ".ground,.grid{fill:none;stroke:var(--rule);stroke-width:1;vector-effect:non-scaling-stroke}\n"
    ".line{fill:none;stroke:var(--accent);stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round;"
    "vector-effect:non-scaling-stroke}\n"
    ".dot{fill:none;stroke:var(--accent);stroke-width:5.5;stroke-linecap:round;vector-effect:non-scaling-stroke}\n"
    ".band{fill:var(--accent);fill-opacity:.18}\n"
    ".s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}.s4{stroke:var(--s4)}"
    ".s5{stroke:var(--s5)}.s6{stroke:var(--s6)}.s7{stroke:var(--s7)}\n"
    ".line.s1{stroke-dasharray:7 3}.line.s2{stroke-dasharray:2 3}.line.s3{stroke-dasharray:9 3 2 3}.line.s4{stroke-dasharray:4 2}"
    ".line.s5{stroke-dasharray:12 4}.line.s6{stroke-dasharray:1 4}.line.s7{stroke-dasharray:6 2 1 2 1 2}\n"
    ".plot{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.35rem .6rem;margin:.75rem 0 1rem;padding-top:.6rem}\n"
    ".plot>svg{width:100%;height:9.5rem}\n"
    ".plot.rows>svg{height:6.5rem}.plot.lines>svg{height:13rem}\n"
    ".plot .y{display:flex;flex-direction:column;justify-content:space-between;text-align:right;margin:-.65em 0;"
    "font-size:.8rem;line-height:1.3em;color:var(--soft);white-space:nowrap}\n"
    ".plot.durations .y{margin-top:.85rem}\n"
    ".plot .x{grid-column:2;display:flex;justify-content:space-between;font-size:.8rem;color:var(--soft);white-space:nowrap}\n"
    ".legend,.choice{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:.25rem 0 .75rem;padding:0;font-size:.875rem}\n"
    ".legend li{display:flex;align-items:center;gap:.4rem}\n"
    ".choice [aria-current]{color:var(--ink);font-weight:600;text-decoration:none}\n"
    /* tables */
    ".wide{overflow-x:auto;margin:.5rem 0 1rem;max-width:100%}\n"
    "table{border-collapse:collapse;font-size:.9rem;line-height:1.4}\n"
    "caption{text-align:left;color:var(--soft);padding:0 0 .4rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3rem 1.1rem .3rem 0;white-space:nowrap}\n"
    "th{font-weight:600;vertical-align:bottom}\n"
    "th .unit{display:block;font-weight:400;font-size:.8rem}\n"
    "thead th{border-bottom:1px solid var(--rule)}\n"
    "tbody tr+tr>*{border-top:1px solid var(--wash)}\n"
    "td.n,th.n{text-align:right}\n"
    "td.text{white-space:normal;min-width:12rem;max-width:28rem}\n"
    ".null{color:var(--soft)}\n"
    "dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.3rem 1.25rem;margin:.5rem 0 1rem}\n"
    "dt{color:var(--soft)}dd{margin:0}\n"
    "ol.rows,ul.rows{list-style:none;margin:.5rem 0;padding:0}\n"
    "ol.rows>li,ul.rows>li{padding:.5rem 0;border-top:1px solid var(--wash)}\n"
    "ol.rows p,ul.rows p{margin:.1rem 0}\n"
    "details summary{cursor:pointer;color:var(--soft);font-size:.875rem}\n"
    "@media(max-width:44rem){body{padding-top:1rem}.pipelines>li{grid-template-columns:minmax(0,1fr) auto;gap:.35rem 1rem}"
    ".pipelines .what{grid-column:1/-1}dl{grid-template-columns:minmax(0,1fr);gap:0}dd{margin-bottom:.5rem}"
    ".plot>svg{height:8rem}.plot.rows>svg{height:5.5rem}.plot.lines>svg{height:11rem}h1{font-size:1.4rem}}\n"
    "@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--rule:#bbb;--wash:#eee;color-scheme:light}body{max-width:none;padding:0;"
    "print-color-adjust:exact;-webkit-print-color-adjust:exact}a{color:inherit;text-decoration:none}.back,.choice{display:none}"
    ".wide{overflow:visible}.pipelines>li,tr,figure,.plot{break-inside:avoid}h2{break-after:avoid}th,td{white-space:normal}}\n";

const char lp_page_icon[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><g fill=\"#3b8474\"><path d=\"M1 9h2.5v6H1zM4.9 5h2.5v10H4.9z"
    "M8.7 7h2.5v8H8.7z\"/><path fill=\"#1a6480\" d=\"M12.5 1H15v14h-2.5z\"/></g></svg>\n";

const char *lp_page_style_path(void)
{
    static char path[40];
    if (!*path)
        snprintf(path, sizeof path, "/style-%016llx.css",
                 (unsigned long long)XXH3_64bits(lp_page_style, sizeof lp_page_style - 1));
    return path;
}
