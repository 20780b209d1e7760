// Moves the line of the selected moment without Plotly, which would redraw the sequences of all classes on any change;
// when Plotly redraws for another reason, the line is restored.
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
