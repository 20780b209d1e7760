// The line of the chosen moment, moved without Plotly, whose smallest change would draw the sequences of all classes
// anew; after what Plotly draws for another reason, the line is put back to where it was moved.
window.dash_clientside = Object.assign({}, window.dash_clientside, {timeline: {
  move: (seconds) => {
    const drawn = document.querySelector("#timeline-graph .js-plotly-plot");
    if (!drawn || !drawn._fullLayout || seconds === null) return;
    const move = () => {
      const line = drawn.querySelector(".shapelayer path"), axis = drawn._fullLayout.xaxis;
      for (const layout of [drawn.layout, drawn._fullLayout]) layout.shapes[0].x0 = layout.shapes[0].x1 = drawn.moment;
      const x = axis._offset + axis.l2p(drawn.moment);
      line.setAttribute("d", line.getAttribute("d").replace(/M[^,]+,(.*)L[^,]+,/, `M${x},$1L${x},`));
    };
    if (drawn.moment === undefined) drawn.on("plotly_afterplot", move);
    drawn.moment = seconds;
    move();
  }
}});
