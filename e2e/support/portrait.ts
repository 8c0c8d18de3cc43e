/** How somebody is drawn: colours as CSS has them. */
export interface Portrait {
  wall: [string, string];
  lamp: string;
  skin: string;
  hair: string;
  cut: 'long' | 'short' | 'bun';
  clothes: string;
  beard?: boolean;
  glasses?: boolean;
}

export const PORTRAITS: Record<'Anna' | 'Ben' | 'Cara', Portrait> = {
  Anna: {
    wall: ['#f3c7a6', '#b8674f'],
    lamp: '#ffe9c9',
    skin: '#f2c5a5',
    hair: '#7a3420',
    cut: 'long',
    clothes: '#1f7a78',
  },
  Ben: {
    wall: ['#8fb7c9', '#2f4f66'],
    lamp: '#e3f4ff',
    skin: '#e0ac86',
    hair: '#2b211d',
    cut: 'short',
    clothes: '#d99a2b',
    beard: true,
  },
  Cara: {
    wall: ['#c9b4e6', '#5b3f86'],
    lamp: '#f7e6ff',
    skin: '#8d5a3b',
    hair: '#1d1416',
    cut: 'bun',
    clothes: '#e8e1f5',
    glasses: true,
  },
};

/** Runs in the page before the devices: gives the camera somebody in a room to film, in place of a colour. */
export function sitForPortrait(portrait: Portrait): void {
  const room = (width: number, height: number): HTMLCanvasElement => {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext('2d');
    if (!pen) throw new Error('no 2d context');
    const wall = pen.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, portrait.wall[0]);
    wall.addColorStop(1, portrait.wall[1]);
    pen.fillStyle = wall;
    pen.fillRect(0, 0, width, height);
    // Out of focus, as it is behind somebody who sits close.
    pen.filter = `blur(${height / 40}px)`;
    const glow = pen.createRadialGradient(width * 0.14, height * 0.2, 0, width * 0.14, height * 0.2, height * 0.75);
    glow.addColorStop(0, portrait.lamp);
    glow.addColorStop(1, `${portrait.lamp}00`);
    pen.fillStyle = glow;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = '#00000040';
    pen.fillRect(width * 0.7, height * 0.3, width * 0.3, height * 0.03);
    pen.fillRect(width * 0.7, height * 0.62, width * 0.3, height * 0.03);
    const books = ['#f4ead8', '#d8694f', '#3d7f8c', '#e9b44c', '#fdf6ea', '#69507f', '#5d8f62'];
    for (const [index, colour] of [...books, ...books].entries()) {
      const tall = height * (0.16 + 0.06 * Math.abs(Math.sin(index * 2.3)));
      const shelf = index < books.length ? 0.3 : 0.62;
      pen.fillStyle = colour;
      pen.fillRect(width * (0.73 + 0.036 * (index % books.length)), height * shelf - tall, width * 0.026, tall);
    }
    pen.fillStyle = '#3f7d5a';
    for (let leaf = 0; leaf < 7; leaf++) {
      pen.save();
      pen.translate(width * 0.12, height * 0.86);
      pen.rotate((leaf - 3) * 0.36);
      pen.beginPath();
      pen.ellipse(0, -height * 0.17, height * 0.035, height * 0.17, 0, 0, Math.PI * 2);
      pen.fill();
      pen.restore();
    }
    return canvas;
  };

  let behind: HTMLCanvasElement | undefined;
  const paint = (pen: CanvasRenderingContext2D, frame: number): void => {
    const { width, height } = pen.canvas;
    behind ??= room(width, height);
    pen.drawImage(behind, 0, 0);
    pen.save();
    // The unit from here on is a hundredth of the height; the face's middle is at 0, 0.
    pen.translate(
      width / 2 + Math.sin(frame / 25) * height * 0.008,
      height * 0.44 + Math.sin(frame / 17) * height * 0.006,
    );
    pen.scale(height / 100, height / 100);
    const fill = (colour: string, draw: () => void) => {
      pen.fillStyle = colour;
      pen.beginPath();
      draw();
      pen.fill();
    };
    const oval = (x: number, y: number, across: number, down: number, turn = 0) =>
      pen.ellipse(x, y, across, down, turn, 0, Math.PI * 2);

    if (portrait.cut === 'long') fill(portrait.hair, () => pen.roundRect(-20, -24, 40, 56, [20, 20, 12, 12]));
    if (portrait.cut === 'bun') fill(portrait.hair, () => oval(0, -27, 9, 8));
    fill(portrait.clothes, () => {
      pen.moveTo(-46, 70);
      pen.bezierCurveTo(-45, 36, -26, 32, -9, 27);
      pen.lineTo(9, 27);
      pen.bezierCurveTo(26, 32, 45, 36, 46, 70);
    });
    fill(portrait.skin, () => pen.roundRect(-7.5, 8, 15, 24, 7.5));
    fill('#00000026', () => oval(0, 18.5, 7.5, 5));
    fill(portrait.skin, () => {
      oval(-16, 0, 3, 4.4);
      oval(16, 0, 3, 4.4);
    });
    fill(portrait.skin, () => pen.roundRect(-15.5, -21, 31, 41, [15, 15, 15.5, 15.5]));
    if (portrait.beard) {
      fill(portrait.hair, () => {
        pen.moveTo(-15.5, 1);
        pen.bezierCurveTo(-16, 26, 16, 26, 15.5, 1);
        pen.bezierCurveTo(12, 8, 8, 5.6, 0, 5.6);
        pen.bezierCurveTo(-8, 5.6, -12, 8, -15.5, 1);
      });
    }
    fill(portrait.hair, () => {
      pen.moveTo(-16.5, -4);
      pen.bezierCurveTo(-19, -30, 19, -30, 16.5, -4);
      pen.bezierCurveTo(14, -13, 9, -15.5, portrait.cut === 'short' ? 4 : -3, -16);
      pen.bezierCurveTo(-7, -15, -13, -12, -16.5, -4);
    });
    fill('#fff', () => {
      oval(-6.3, -1.5, 2.9, 2.1);
      oval(6.3, -1.5, 2.9, 2.1);
    });
    fill('#2a1c17', () => {
      oval(-6.3, -1.5, 1.5, 1.6);
      oval(6.3, -1.5, 1.5, 1.6);
    });
    fill('#ff5a4626', () => {
      oval(-9.5, 5, 3.4, 2.2);
      oval(9.5, 5, 3.4, 2.2);
    });
    pen.lineCap = 'round';
    const line = (colour: string, thick: number, draw: () => void) => {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.beginPath();
      draw();
      pen.stroke();
    };
    line(portrait.hair, 1.3, () => {
      pen.moveTo(-9.5, -6.2);
      pen.quadraticCurveTo(-6.3, -7.8, -3.4, -6.4);
      pen.moveTo(3.4, -6.4);
      pen.quadraticCurveTo(6.3, -7.8, 9.5, -6.2);
    });
    line('#00000033', 1, () => {
      pen.moveTo(0.4, -0.5);
      pen.quadraticCurveTo(2.2, 4, -0.6, 4.4);
    });
    fill('#8d2f33', () => {
      pen.moveTo(-5.4, 8.8);
      pen.quadraticCurveTo(0, 10.4, 5.4, 8.8);
      pen.quadraticCurveTo(0, 16.2, -5.4, 8.8);
    });
    fill('#fff', () => {
      pen.moveTo(-4.3, 9.3);
      pen.quadraticCurveTo(0, 10.5, 4.3, 9.3);
      pen.quadraticCurveTo(0, 12.6, -4.3, 9.3);
    });
    if (portrait.glasses) {
      line('#f1c75b', 0.9, () => {
        pen.roundRect(-11, -5, 9.4, 7.4, 3.4);
        pen.roundRect(1.6, -5, 9.4, 7.4, 3.4);
        pen.moveTo(-1.6, -2);
        pen.quadraticCurveTo(0, -2.8, 1.6, -2);
      });
    }
    pen.restore();
  };
  Object.assign(globalThis, { paint });
}
